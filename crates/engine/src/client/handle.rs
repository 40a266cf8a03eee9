//! A handle: one run, from outside.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use onward_store::Outcome;
use onward_types::{
    Error, EventRecord, HookRecord, MessageRecord, RunId, RunRecord, Status, StepFilter, StepRecord, StreamInfo,
};
use serde::Serialize;

use super::Client;
use super::event::GetEvent;
use super::export::Export;
use super::send::SendMessage;
use super::stream::ReadStream;
use crate::data::Data;
use crate::executor::hub::result_of;
use crate::executor::run::end::{End, EndSlot};
use crate::future::BoxFuture;

/// How many messages are listed at once.
const MESSAGES_MAX: u32 = 1_000;

/// A run, from outside. `T` is its output. Clones hold the same run.
pub struct WorkflowHandle<T> {
    pub(crate) client: Client,
    pub(crate) id: RunId,
    /// Set if it was started here: its end is then known without a question to the database.
    pub(crate) started: Option<Arc<EndSlot>>,
    pub(crate) output: PhantomData<fn() -> T>,
}

impl<T> Clone for WorkflowHandle<T> {
    fn clone(&self) -> Self {
        WorkflowHandle {
            client: self.client.clone(),
            id: self.id.clone(),
            started: self.started.clone(),
            output: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for WorkflowHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T: Data> WorkflowHandle<T> {
    /// The id of the run.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The same run, with its output read as a `U`. As a [`Json`](crate::Json) every digit of its numbers is kept, which a
    /// `serde_json::Value` does for 64-bit integers and doubles only.
    #[must_use]
    pub fn typed<U: Data>(self) -> WorkflowHandle<U> {
        let WorkflowHandle { client, id, started, .. } = self;
        WorkflowHandle { client, id, started, output: PhantomData }
    }

    /// Wait for the run to end, and take its output. Any number of handles may wait.
    ///
    /// # Errors
    /// What the run failed with, as it was recorded; `cancelled` if it was cancelled; `retries_exceeded` if it was given
    /// up; the error that holds it if it was held, for example `diverged`; `unknown_run` if there is no such run.
    pub async fn result(&self) -> Result<T, Error> {
        let outcome = ended(&self.client, &self.id, self.started.as_deref()).await?;
        result_of(&outcome)?.decode()
    }

    /// [`result`](WorkflowHandle::result), for no longer than `limit`. The run goes on in any case.
    ///
    /// # Errors
    /// `timed_out` once the limit is over.
    pub async fn result_within(&self, limit: Duration) -> Result<T, Error> {
        let clock = self.client.store.clock().clone();
        tokio::select! {
            biased;
            result = self.result() => result,
            () = clock.sleep(limit) => Err(timed_out(format!("the result of run {:?}", self.id), limit)),
        }
    }

    /// The state of the run.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn status(&self) -> Result<Status, Error> {
        Ok(self.describe().await?.status)
    }

    /// All that is known of the run.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn describe(&self) -> Result<RunRecord, Error> {
        Ok(self.client.shown(self.client.store.describe(&self.id).await?))
    }

    /// Every durable call of the run, in the order of positions: what is recorded, what was tried, what it waits for.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn steps(&self) -> Result<Vec<StepRecord>, Error> {
        Ok(self.client.shown(self.client.store.steps(&self.id).await?))
    }

    /// Some durable calls of the run, in the order of positions: of a run with very many, or where the outputs are large.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, StepFilter};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let page = StepFilter { from: 1_000, limit: Some(100), with_output: false };
    /// let steps = onward.handle_named("order-17").list_steps(page).await;
    /// # assert!(steps.is_err_and(|error| error.is_unknown_run()), "nobody has started it");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn list_steps(&self, filter: StepFilter) -> Result<Vec<StepRecord>, Error> {
        Ok(self.client.shown(self.client.store.list_steps(&self.id, filter).await?))
    }

    /// The run as a file that [`Client::import`] takes: what it recorded, said and heard, as of one moment. It may be under
    /// way. With it go the runs that it started, and those below them, that have not ended or whose result may still be asked
    /// for, and the runs for which one of them waits.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let order = client.handle_named("order-17");
    /// let file = order.export().await?;
    /// let all = order.export().all().await?;
    /// let one = order.export().alone().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The file is lines of JSON, and holds what the runs hold: inputs, results and messages as they are.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub fn export(&self) -> Export<'_> {
        Export::new(&self.client, &self.id)
    }

    /// The runs that it started, in the order in which it did.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn children(&self) -> Result<Vec<WorkflowHandle<serde_json::Value>>, Error> {
        let ids = self.client.store.children(&self.id).await?;
        Ok(ids.into_iter().map(|id| self.client.handle_named(id.as_str())).collect())
    }

    /// Send a message to the run: as [`Client::send`].
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub fn send(&self, topic: impl Into<String>, message: &(impl Serialize + ?Sized)) -> SendMessage<'_> {
        self.client.send(self.id.as_str(), topic, message)
    }

    /// The messages that were sent to the run and that no call has taken, in their order: those that wait, and those that were
    /// refused, with the reason. The first 1,000 of them; [`list_messages`](WorkflowHandle::list_messages) gives the others.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let run = client.handle_named("order-17");
    /// for message in run.messages().await? {
    ///     if let Some(why) = &message.refused {
    ///         println!("{} on topic {}: {why}", message.body, message.topic);
    ///         run.replace_message(message.seq, "Ship").await?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn messages(&self) -> Result<Vec<MessageRecord>, Error> {
        self.list_messages(0, MESSAGES_MAX).await
    }

    /// Up to `limit` of the [`messages`](WorkflowHandle::messages), after the [`place`](MessageRecord::place) of one: page by page,
    /// where a run has very many.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn list_messages(&self, after: i64, limit: u32) -> Result<Vec<MessageRecord>, Error> {
        Ok(self.client.shown(self.client.store.messages(&self.id, after, limit).await?))
    }

    /// Delete a message that no call has taken: one that was refused at any time, another one while no executor has the run. Its
    /// key can be used again.
    ///
    /// # Errors
    /// `unknown_message` if it is not there, `conflict` if it was taken, or an executor may be taking it at this moment: pause the
    /// run, then try again.
    pub async fn delete_message(&self, seq: i64) -> Result<(), Error> {
        self.client.store.delete_message(&self.id, seq).await
    }

    /// Put another message in the place of one that no call has taken, with the same topic and key; gives its number. The run goes
    /// on if that is what it waits for.
    ///
    /// # Errors
    /// As [`delete_message`](WorkflowHandle::delete_message); `invalid` if it does not fit what the run waits for, as far as that is
    /// known, and then the old one stays.
    pub async fn replace_message(&self, seq: i64, message: &(impl Serialize + ?Sized)) -> Result<i64, Error> {
        let body = crate::data::encode("message", message);
        self.client.store.replace_message(&self.id, seq, body?).await
    }

    /// The latest value of an event of the run: as [`Client::get_event`].
    pub fn event<V: Data>(&self, key: impl Into<String>) -> GetEvent<'_, V> {
        self.client.get_event(self.id.as_str(), key)
    }

    /// Every event of the run with its latest value, by key.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn events(&self) -> Result<Vec<EventRecord>, Error> {
        let run = self.client.store.find(&self.id).await?;
        Ok(self.client.shown(self.client.store.events(run.key).await?))
    }

    /// The hooks that the run opened, in order: their tokens, since when, and whether anybody reaches the run by them.
    ///
    /// ```
    /// # use onward_engine::{HookState, Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let hooks = onward.handle_named("order-17").hooks().await;
    /// # assert!(hooks.as_ref().is_err_and(|error| error.is_unknown_run()), "nobody has started it");
    /// let open = hooks.unwrap_or_default().into_iter().filter(|hook| hook.state == HookState::Open);
    /// # assert_eq!(open.count(), 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn hooks(&self) -> Result<Vec<HookRecord>, Error> {
        Ok(self.client.shown(self.client.store.hooks(&self.id).await?))
    }

    /// Read a stream of the run: as [`Client::read_stream`].
    pub fn stream<V: Data>(&self, key: impl Into<String>) -> ReadStream<V> {
        self.client.read_stream(self.id.as_str(), key)
    }

    /// The streams of the run, by key: how far each is, and whether it was closed.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn streams(&self) -> Result<Vec<StreamInfo>, Error> {
        let run = self.client.store.find(&self.id).await?;
        Ok(self.client.shown(self.client.store.streams(run.key).await?))
    }
}

/// What a run came to, once it has ended. Boxed here, as [`Builder::launch`](crate::Builder::launch) says why.
fn ended<'a>(
    client: &'a Client,
    id: &'a RunId,
    started: Option<&'a EndSlot>,
) -> BoxFuture<'a, Result<Arc<Outcome>, Error>> {
    Box::pin(async move {
        let here = match started {
            Some(end) => end.wait().await,
            None => End::Elsewhere,
        };
        match here {
            End::Ended(outcome) => Ok(outcome),
            End::Elsewhere => {
                let run = client.store.find(id).await?;
                let residents = client.executor.as_ref().map(|executor| &*executor.residents);
                client.hub.wait(run.key, residents, true).await
            }
        }
    })
}

/// The error of a wait that took longer than it was allowed to.
fn timed_out(what: impl std::fmt::Display, limit: Duration) -> Error {
    Error::new(
        onward_types::Code::TimedOut,
        format!("timed out after {limit:?} waiting for {what}; the run is still in progress"),
    )
}
