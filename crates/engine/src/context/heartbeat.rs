//! Heartbeats: what the body of a long step says about its progress while it runs.

use onward_types::{Code, Error, Heartbeat, StepKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::executor::run::ctx::Ctx;
use crate::scope::{self, InStep};

impl Ctx {
    /// In the body of a step: say that it is alive, and how far it is. The last heartbeat is shown with the step, and handed to the
    /// next attempt, which gets it from [`last_heartbeat`](Ctx::last_heartbeat). With
    /// [`heartbeat_timeout`](crate::Step::heartbeat_timeout), an attempt that sends none for too long is dropped.
    ///
    /// It does not wait, and may be called as often as you like: at most one heartbeat a second is recorded, always the latest one.
    /// It is not part of the history of the run, so the workflow does not see it. If the process dies, what was sent in the last
    /// second may be lost, and the next attempt gets an earlier one. Like results, progress is encoded by a codec.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # async fn send(row: u64) -> Result<()> { Ok(()) }
    /// async fn upload(ctx: &Ctx, rows: u64) -> Result<u64> {
    ///     let sent = ctx.step("upload", async || {
    ///         let done: u64 = ctx.last_heartbeat()?.unwrap_or(0);
    ///         for row in done..rows {
    ///             send(row).await?;
    ///             ctx.heartbeat(row + 1)?;
    ///         }
    ///         Ok(rows - done)
    ///     });
    ///     Ok(sent.attempts(10).await?)
    /// }
    /// # #[tokio::main] async fn main() { assert_eq!(upload(&Ctx::detached(), 7).await.unwrap(), 7); }
    /// ```
    ///
    /// # Errors
    /// `invalid` outside of the body of a step, which includes tasks and threads that the body has spawned, or if the progress is
    /// too large; `nested` in the body of a transaction; `encode` if the progress cannot be encoded.
    pub fn heartbeat(&self, progress: impl Serialize) -> Result<(), Error> {
        let step = body_of("send a heartbeat")?;
        let progress = crate::data::encode("progress in a heartbeat", &progress)?;
        step.told.beat(Heartbeat { at: self.core.clock().now(), progress });
        Ok(())
    }

    /// In the body of a step: the progress in the last [heartbeat](Ctx::heartbeat) that an earlier attempt sent. `None` in the first
    /// attempt, or if no attempt has sent one. It is the same during a whole attempt, whatever that sends itself.
    ///
    /// # Errors
    /// `invalid` outside of the body of a step, which includes tasks and threads that the body has spawned; `nested` in the body of a
    /// transaction; `decode` if the progress cannot be decoded as a `T`, for example because other code sent it.
    pub fn last_heartbeat<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let step = body_of("read the last heartbeat")?;
        match step.told.handed() {
            Some(Ok(progress)) => progress.decode().map(Some),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        }
    }
}

/// The step whose body is polled.
fn body_of(what: &str) -> Result<InStep, Error> {
    match scope::step() {
        Some(step) if step.kind == StepKind::Transaction => {
            let name = step.name;
            let message = format!(
                "a transaction cannot {what}, and `{name}` is one: a transaction has to be short; do the long work in a step"
            );
            Err(Error::new(Code::Nested, message))
        }
        Some(step) => Ok(step),
        None => {
            let message = format!(
                "only the body of a step can {what}: do it in the body itself, not in the workflow and not in a task or thread \
                 that the body spawns; such a task can report to the body through a channel"
            );
            Err(Error::new(Code::Invalid, message))
        }
    }
}
