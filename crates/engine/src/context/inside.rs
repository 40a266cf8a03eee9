//! What a workflow does with runs from inside its own run: it starts, pauses, cancels and describes them.

use onward_types::{Code, Error, RunId, StepKind};
use serde::Serialize;

use crate::calls::call::Call;
use crate::calls::continues::ContinueWith;
use crate::calls::inside::{Act, CancelRun};
use crate::calls::pause::Pause;
use crate::client::Client;
use crate::client::inside::ForRuns;
use crate::data::Data;
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
            let message =
                "a detached context has no client, because it has no database: open `sqlite::memory:` instead";
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

    /// In the body of a step: note something about it, for example what it cost. Notes are recorded with the result of the step,
    /// in the same commit, and shown as [`StepRecord::notes`](crate::StepRecord::notes). A later note of the same name replaces
    /// an earlier one. An attempt that fails and is tried again keeps its notes, in
    /// [`Attempt::notes`](crate::Attempt::notes); those of an attempt that a crash interrupts are lost.
    ///
    /// Notes are for people and programs outside of the run: the workflow does not see them. Like attributes, they are not
    /// encoded by a codec, and fields of them can be masked.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # struct Answer { text: String, tokens: u32 }
    /// # async fn ask(prompt: &str) -> Result<Answer> { Ok(Answer { text: prompt.to_owned(), tokens: 3 }) }
    /// async fn think(ctx: &Ctx, prompt: &str) -> Result<String> {
    ///     let answer = ctx.step("think", async || {
    ///         let answer = ask(prompt).await?;
    ///         ctx.note("tokens", answer.tokens)?;
    ///         Ok(answer.text)
    ///     });
    ///     Ok(answer.attempts(3).await?)
    /// }
    /// # #[tokio::main] async fn main() { think(&Ctx::detached(), "why?").await.unwrap(); }
    /// ```
    ///
    /// # Errors
    /// `invalid` outside of the body of a step, which includes tasks that the body has spawned; or if the name is empty, too
    /// long or has a control character, or the notes are too large. `encode` if the value cannot be encoded.
    pub fn note(&self, name: impl AsRef<str>, value: impl Serialize) -> Result<(), Error> {
        let name = name.as_ref();
        onward_types::check_name("name of a note", name)?;
        let value = crate::data::encode("note", &value)?;
        let Some(step) = scope::step() else {
            let message = format!(
                "note `{name}` was made outside of the body of a step: a note is part of the record of a step, so make it in \
                 the body, not in a task that the body spawns"
            );
            return Err(Error::new(Code::Invalid, message));
        };
        step.told.note(name, value)
    }

    /// Pause the run here, for this reason, until somebody resumes it. The call returns once the run was resumed.
    ///
    /// While it is paused, the run is in the state `paused`, its record shows the reason, and
    /// [`result`](crate::WorkflowHandle::result) returns the [`error`](Pause::error), so that those who wait for the run learn
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

    /// Cancel another run and every run that it started, exactly once. Resolves to what happened: the state in which the run was
    /// found, and how many runs were cancelled. The result is recorded in the commit that cancels, so that after a crash it still
    /// says what this call did. A run that has ended does not change.
    ///
    /// The reason of the cancelled run names this run: ``cancelled by run `race-7`: "another was faster"``.
    ///
    /// A run may cancel itself, or a run that it descends from. Then it ends here, and the call does not return. If it is
    /// resumed, it continues from here, with the recorded result.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn give_up(ctx: &Ctx, others: &[String]) -> Result<u64> {
    ///     let mut cancelled = 0;
    ///     for run in others {
    ///         cancelled += ctx.cancel(run).reason("another was faster").await?.runs;
    ///     }
    ///     Ok(cancelled)
    /// }
    /// # #[tokio::main] async fn main() { give_up(&Ctx::detached(), &["a".to_owned()]).await.unwrap(); }
    /// ```
    ///
    /// If the run does not exist, the call returns an `unknown_run` error, which is recorded.
    pub fn cancel(&self, run: impl AsRef<str>) -> CancelRun<'_> {
        CancelRun::new(self, run.as_ref())
    }

    /// Send a payload to the hook with this token, exactly once: what [`Client::resume_hook`](crate::Client::resume_hook) does
    /// from outside. Resolves to the id of the run that has the hook.
    ///
    /// The errors `unknown_hook`, `gone` and `invalid` of that call are recorded; nothing was sent then.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn paid(ctx: &Ctx, order: &str, cents: u64) -> Result<()> {
    ///     ctx.resume_hook(format!("payment-{order}"), &cents).await?;
    ///     Ok(())
    /// }
    /// # #[tokio::main] async fn main() { paid(&Ctx::detached(), "17", 4200).await.unwrap(); }
    /// ```
    pub fn resume_hook(&self, token: impl AsRef<str>, payload: impl Serialize) -> Call<'_, RunId> {
        Call::act(Act::resume_hook(self, token.as_ref(), &payload))
    }

    /// Merge attributes into those of this run: a map or a struct with named fields. A `null` removes an attribute. Lists of
    /// runs can be filtered by attributes.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use serde_json::json;
    /// async fn ship(ctx: &Ctx, customer: u64) -> Result<()> {
    ///     ctx.merge_attributes(json!({"customer": customer, "stage": "packing"})).await?;
    ///     Ok(())
    /// }
    /// # #[tokio::main] async fn main() { ship(&Ctx::detached(), 7).await.unwrap(); }
    /// ```
    ///
    /// If the attributes are not a JSON object, or would together be too large, the call returns an `invalid` error, which is
    /// recorded.
    pub fn merge_attributes(&self, attributes: impl Serialize) -> Call<'_> {
        Call::act(Act::merge_attributes(self, &attributes))
    }

    /// End this generation of the run, and begin the next one: the workflow starts from the beginning with this input, under the
    /// same id. For runs that would never end: a replay executes one generation, not everything since the run began.
    ///
    /// It is the last thing that a workflow does. It resolves only to an error, if the input cannot be recorded, so it stands
    /// for a value of any type.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn beat(ctx: &Ctx, beats: u64) -> Result<u64> {
    ///     for nth in 0..1_000 {
    ///         ctx.set_event("beats", beats + nth).await?;
    ///         ctx.sleep(Duration::from_secs(60)).await?;
    ///     }
    ///     Ok(ctx.continue_with(beats + 1_000).await?)
    /// }
    /// # #[tokio::main] async fn main() {
    /// let error = beat(&Ctx::detached(), 7).await.unwrap_err().to_string();
    /// assert!(error.contains("would begin with 1007"), "{error}");
    /// # }
    /// ```
    ///
    /// What the old generation recorded is deleted in the commit that begins the new one: its steps, attempts, waits, patches,
    /// and the messages that it took. What stays is the run itself, with its id, deadline, attributes and
    /// [`generation`](crate::RunRecord::generation); its events with their latest values; its streams, whose indices go on;
    /// messages that were not taken; children, which go on; and open hooks, which the new generation opens again with the same
    /// token, payloads included. A result of a child that was not read before can no longer be read. Positions are counted on,
    /// so that ids of children and [`idempotency_key`](Ctx::idempotency_key)s differ from those of earlier generations.
    ///
    /// The input must be one that this workflow can decode: otherwise the next generation is held. Other branches of the
    /// workflow end with the generation; await what they do before.
    pub fn continue_with<T: Data>(&self, input: impl Serialize) -> ContinueWith<'_, T> {
        ContinueWith::new(self, &input)
    }
}
