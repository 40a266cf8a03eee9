//! What a workflow does with runs from inside its own run: it starts, pauses, cancels and describes them.

use onward_types::{Code, Error, StepKind};

use crate::calls::pause::Pause;
use crate::client::Client;
use crate::client::inside::ForRuns;
use crate::executor::run::core::Home;
use crate::executor::run::ctx::Ctx;
use crate::scope;

impl Ctx {
    /// The client of the executor of this run, for the bodies of steps: to start independent runs, to send messages, to read
    /// lists and records. Cloning it is cheap; give it to tasks that the body starts.
    ///
    /// Use it only in the bodies of steps. What it answers is not recorded, so workflow code that used it outside of a step
    /// would take another way on a replay. A body runs again after a crash: start runs with an id of your choice, and send
    /// messages with a key, for example [`idempotency_key`](Ctx::idempotency_key), so that the repeat has no effect.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Filter, Result, Status};
    /// async fn backlog(ctx: &Ctx) -> Result<usize> {
    ///     let waiting = ctx.step("backlog", async || {
    ///         let filter = Filter { statuses: vec![Status::Enqueued], ..Filter::default() };
    ///         Ok(ctx.client()?.list(filter).await?.items.len())
    ///     });
    ///     Ok(waiting.await?)
    /// }
    /// # #[tokio::main] async fn main() {
    /// let error = backlog(&Ctx::detached()).await.unwrap_err().to_string();
    /// assert!(error.contains("a detached context has no client"), "{error}");
    /// # }
    /// ```
    ///
    /// # Errors
    /// `invalid` in a detached context, which has no database; `nested` in the body of a transaction, where other writes would
    /// wait for the transaction to end.
    pub fn client(&self) -> Result<Client, Error> {
        let Home::Executor { executor, .. } = &self.core.home else {
            let message = "a detached context has no client, because it has no database: open `sqlite::memory:` instead";
            return Err(Error::new(Code::Invalid, message));
        };
        if let Some(step) = scope::step().filter(|step| step.kind == StepKind::Transaction) {
            let message = format!(
                "the client was requested in the body of the transaction `{}`: use it before or after the transaction",
                step.name
            );
            return Err(Error::new(Code::Nested, message));
        }
        let client = executor.states.get::<ForRuns>().map(|client| client.of(executor));
        client.ok_or_else(|| Error::new(Code::Corrupt, "internal error: the executor has no client for its runs"))
    }

    /// Pause the run here, for this reason, until somebody resumes it. The call returns once the run was resumed.
    ///
    /// While it is paused, the run is in the state `paused`, its record shows the reason, and
    /// [`result`](crate::WorkflowHandle::result) returns the [`error`](Pause::error), so that whoever waits for the run learns
    /// of it. Other branches of the workflow stop as after [`WorkflowHandle::pause`](crate::WorkflowHandle::pause): a step in
    /// progress is dropped, and its body runs again after the resume. The run's children continue.
    ///
    /// [`resume`](crate::WorkflowHandle::resume) passes the call, once and for all: neither a crash nor a cancel and another
    /// resume brings the pause back. A fork that begins before the call, or while the run is paused there, pauses in its turn.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # async fn fetch(url: &str) -> Result<String> { Ok(url.to_owned()) }
    /// async fn page(ctx: &Ctx, url: &str) -> Result<String> {
    ///     loop {
    ///         match ctx.step("fetch", async || fetch(url).await).attempts(5).await {
    ///             Ok(page) => return Ok(page),
    ///             Err(error) => ctx.pause(format!("{url} cannot be fetched; resume to try again")).error(error).await?,
    ///         }
    ///     }
    /// }
    /// # #[tokio::main] async fn main() { page(&Ctx::detached(), "https://a.ch").await.unwrap(); }
    /// ```
    pub fn pause(&self, reason: impl AsRef<str>) -> Pause<'_> {
        Pause::new(self, reason.as_ref())
    }
}
