//! A handle to one run, for use outside of it.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use onward_store::Outcome;
use onward_types::{
    Error, EventRecord, HookRecord, MessageFilter, MessageRecord, Page, RunId, RunRecord, Status, StepFilter,
    StepRecord, StreamRecord,
};
use serde::Serialize;

use super::Client;
use super::event::GetEvent;
use super::export::Export;
use super::send::SendMessage;
use super::stream::ReadStream;
use crate::data::Data;
use crate::executor::run::end::{End, EndSlot};
use crate::executor::waiters::{Until, result_of};
use crate::future::BoxFuture;
use crate::scope;

/// How many messages [`WorkflowHandle::messages`] returns.
const MESSAGES_MAX: u32 = 1_000;

/// A handle to a run. `T` is the type of its output. Clones refer to the same run.
pub struct WorkflowHandle<T> {
    pub(crate) client: Client,
    pub(crate) id: RunId,
    /// Set if this client started the run: its end is then known without a query.
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

    /// The same run, with its output decoded as a `U`. [`Json`](crate::Json) keeps every digit of its numbers;
    /// `serde_json::Value` does so only for 64-bit integers and doubles.
    #[must_use]
    pub fn typed<U: Data>(self) -> WorkflowHandle<U> {
        let WorkflowHandle { client, id, started, .. } = self;
        WorkflowHandle { client, id, started, output: PhantomData }
    }

    /// Wait for the run to end, and return its output. Any number of handles may wait.
    ///
    /// # Errors
    /// The error that the run failed with, as it was recorded; `cancelled` if it was cancelled; `retries_exceeded` if it was
    /// given up; the error that holds it, for example `diverged`, if it is held; `unknown_run` if the run does not exist;
    /// `stopped` if the client is [closed](Client::close) before the run ends.
    pub async fn result(&self) -> Result<T, Error> {
        result_of(&*self.outcome(Until::EndedOrHeld, None).await?)?.decode()
    }

    /// [`result`](WorkflowHandle::result) with a time limit. The limit does not affect the run. A limit of zero looks once
    /// and does not wait.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use onward_engine::{Client, Result, Status};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// # client.start_named("order", 17).id("order-17").await?;
    /// let run = client.handle_named("order-17");
    /// let late = run.result_within(Duration::from_millis(10)).await.unwrap_err();
    /// assert!(late.is_timed_out() && !run.status().await?.is_terminal(), "only the wait has ended");
    ///
    /// run.pause().await?;
    /// let record = run.settled_within(Duration::ZERO).await?;
    /// assert_eq!(record.status, Status::Paused);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`result`](WorkflowHandle::result); `timed_out` if the run has not ended within `limit`.
    pub async fn result_within(&self, limit: Duration) -> Result<T, Error> {
        result_of(&*self.outcome(Until::EndedOrHeld, Some(limit)).await?)?.decode()
    }

    /// Wait until the run has ended or is paused, by a person or because something holds it, and return its record. For
    /// callers that have to react to a pause, where [`result`](WorkflowHandle::result) would wait for the run to be resumed.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result, Status};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let run = client.handle_named("order-17").settled().await?;
    /// match run.status {
    ///     Status::Paused => println!("somebody has to look at it: {}", run.reason),
    ///     status => println!("it has {status}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `stopped` if the client is [closed](Client::close) before.
    pub async fn settled(&self) -> Result<RunRecord, Error> {
        loop {
            self.outcome(Until::Settled, None).await?;
            // It may have been resumed since.
            if let Some(record) = self.settled_now().await? {
                return Ok(record);
            }
        }
    }

    /// [`settled`](WorkflowHandle::settled) with a time limit. A limit of zero looks once and does not wait.
    ///
    /// # Errors
    /// As [`settled`](WorkflowHandle::settled); `timed_out` if the run has neither ended nor been paused within `limit`.
    pub async fn settled_within(&self, limit: Duration) -> Result<RunRecord, Error> {
        let clock = self.client.store.clock().clone();
        let until = onward_store::add(clock.now(), limit);
        loop {
            let left = until.duration_since(clock.now()).try_into().unwrap_or_default();
            self.outcome(Until::Settled, Some(left)).await?;
            if let Some(record) = self.settled_now().await? {
                return Ok(record);
            }
        }
    }

    async fn settled_now(&self) -> Result<Option<RunRecord>, Error> {
        let record = self.describe().await?;
        Ok((record.status.is_terminal() || record.status == Status::Paused).then_some(record))
    }

    /// The outcome of the run, once it has done what the caller waits for; within a limit and until the client is closed.
    async fn outcome(&self, until: Until, limit: Option<Duration>) -> Result<Arc<Outcome>, Error> {
        let clock = self.client.store.clock().clone();
        let limited = async {
            match limit {
                Some(limit) => clock.sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        // At its end, a wait says nothing about the run.
        let look = Box::pin(async {
            let run = self.client.store.find(&self.id).await?;
            let outcome = self.client.store.outcome(run.key).await?.filter(|outcome| until.is_met(outcome));
            Ok(outcome.map(Arc::new))
        });
        // In a box, as large futures in each other overflow the stacks of debug builds.
        let waits = Box::pin(async {
            tokio::select! {
                biased;
                outcome = ended(&self.client, &self.id, self.started.as_deref(), until) => outcome,
                () = limited => {
                    look.await?.ok_or_else(|| timed_out(format!("run {:?}", self.id), limit.unwrap_or_default()))
                }
                () = self.client.waiters.closed() => {
                    super::last_look(look, super::closed(format!("run {:?}", self.id))).await
                }
            }
        });
        scope::wait_for_runs(waits).await
    }

    /// The status of the run.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn status(&self) -> Result<Status, Error> {
        Ok(self.describe().await?.status)
    }

    /// The complete record of the run.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn describe(&self) -> Result<RunRecord, Error> {
        Ok(self.client.shown(self.client.store.describe(&self.id).await?))
    }

    /// Every durable call of the run, in the order of positions: its recorded result, its attempts, and what it waits for.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn steps(&self) -> Result<Vec<StepRecord>, Error> {
        Ok(self.client.shown(self.client.store.steps(&self.id).await?))
    }

    /// A page of the durable calls of the run, in the order of positions: for runs with very many calls or with large outputs.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, StepFilter};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let few = StepFilter { names: vec!["charge".into()], limit: Some(100), with_output: false, ..StepFilter::default() };
    /// let first = onward.handle_named("order-17").list_steps(few).await;
    /// # assert!(first.is_err_and(|error| error.is_unknown_run()), "nobody has started it");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` for a cursor of another list.
    pub async fn list_steps(&self, filter: StepFilter) -> Result<Page<StepRecord>, Error> {
        Ok(self.client.shown(self.client.store.list_steps(&self.id, filter).await?))
    }

    /// The run as a file for [`Client::import`]: everything it recorded, published and received, as of one moment. It may be in
    /// progress. The file includes the runs that it started, at all depths, that have not ended or whose results may still be
    /// needed, and the runs that one of them waits for.
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
    /// The file is lines of JSON. It contains inputs, results and messages as they are, unmasked.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub fn export(&self) -> Export<'_> {
        Export::new(&self.client, &self.id)
    }

    /// The runs that this run started, in the order in which it started them.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// for child in client.handle_named("order-17").children().await? {
    ///     println!("{} is {}", child.id(), child.status().await?);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn children(&self) -> Result<Vec<WorkflowHandle<serde_json::Value>>, Error> {
        let ids = self.client.store.children(&self.id).await?;
        Ok(ids.into_iter().map(|id| self.client.handle_named(id.as_str())).collect())
    }

    /// Send a message to the run. See [`Client::send`].
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub fn send(&self, topic: impl Into<String>, message: impl Serialize) -> SendMessage<'_> {
        self.client.send(self.id.as_str(), topic, message)
    }

    /// The messages of the run that no call has taken, in their order: those that wait, and those that were refused, with the
    /// reason. Returns the first 1,000; [`list_messages`](WorkflowHandle::list_messages) pages through the others.
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
    /// `unknown_run` if the run does not exist.
    pub async fn messages(&self) -> Result<Vec<MessageRecord>, Error> {
        let first = MessageFilter { limit: Some(MESSAGES_MAX), ..MessageFilter::untaken() };
        Ok(self.list_messages(first).await?.items)
    }

    /// A page of the messages of the run that match a filter, in their order, also those that a call has taken.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, MessageFilter, MessageState, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let run = client.handle_named("order-17");
    /// let taken = MessageFilter { states: vec![MessageState::Taken], ..MessageFilter::default() };
    /// for message in run.list_messages(taken).await?.items {
    ///     println!("{} was taken at position {:?}", message.body, message.taken_by);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` for a cursor of another list.
    pub async fn list_messages(&self, filter: MessageFilter) -> Result<Page<MessageRecord>, Error> {
        Ok(self.client.shown(self.client.store.messages(&self.id, filter).await?))
    }

    /// Delete a message that no call has taken. A refused message can be deleted at any time, any other only while no executor
    /// owns the run. Afterwards its key can be used again.
    ///
    /// ```
    /// # use onward_engine::{Client, MessageFilter, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// # let run = client.start_named("expense", ()).id("expense-17").await?;
    /// let sent = run.send("decision", "approved").key("form-991").await?;
    /// run.delete_message(sent.seq).await?;
    /// let left = run.list_messages(MessageFilter { topic: Some("decision".into()), ..MessageFilter::untaken() }).await?;
    /// assert!(left.items.is_empty());
    /// assert!(run.send("decision", "declined").key("form-991").await?.is_new, "the key is free again");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_message` if the message does not exist; `message_taken` if it was taken, or if an executor may be taking it at this
    /// moment: pause the run, then try again.
    pub async fn delete_message(&self, seq: i64) -> Result<(), Error> {
        self.client.store.delete_message(&self.id, seq).await
    }

    /// Replace a message that no call has taken by another one with the same topic and key, and return its number. If the run
    /// waits for such a message, it continues.
    ///
    /// # Errors
    /// As [`delete_message`](WorkflowHandle::delete_message); `invalid` if the message is known not to fit what the run waits
    /// for. In each case the old message stays.
    pub async fn replace_message(&self, seq: i64, message: impl Serialize) -> Result<i64, Error> {
        let body = crate::data::encode("message", &message);
        self.client.store.replace_message(&self.id, seq, body?).await
    }

    /// The latest value of an event of the run. See [`Client::get_event`].
    pub fn get_event<V: Data>(&self, key: impl Into<String>) -> GetEvent<'_, V> {
        self.client.get_event(self.id.as_str(), key)
    }

    /// Every event of the run with its latest value, by key.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn events(&self) -> Result<Vec<EventRecord>, Error> {
        let run = self.client.store.find(&self.id).await?;
        Ok(self.client.shown(self.client.store.events(run.key).await?))
    }

    /// The hooks that the run opened, in order: each with its token, the time at which it was opened, and its state.
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
    /// `unknown_run` if the run does not exist.
    pub async fn hooks(&self) -> Result<Vec<HookRecord>, Error> {
        Ok(self.client.shown(self.client.store.hooks(&self.id).await?))
    }

    /// Read a stream of the run. See [`Client::read_stream`].
    pub fn read_stream<V: Data>(&self, key: impl Into<String>) -> ReadStream<V> {
        self.client.read_stream(self.id.as_str(), key)
    }

    /// The streams of the run, by key: the length of each, and whether it is closed.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Onward, Paging, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// async fn convert(ctx: &Ctx) -> Result<()> {
    ///     ctx.set_event("percent", 100).await?;
    ///     ctx.stream("pages").append("page 1").await?;
    ///     ctx.hook::<u64>().token("payment-17").await?;
    ///     Ok(())
    /// }
    /// let onward = Onward::open("sqlite::memory:").workflow_fn("convert", "1", |ctx, (): ()| async move { convert(&ctx).await });
    /// let onward = onward.launch().await?;
    /// let run = onward.start_named("convert", ()).await?;
    /// run.result().await?;
    /// assert_eq!(run.events().await?[0].key, "percent");
    /// let pages = &run.streams().await?[0];
    /// assert_eq!((pages.key.as_str(), pages.tail), ("pages", 0)); // the index of the last chunk
    ///
    /// // The same in pages, for runs that have very many.
    /// assert_eq!(run.list_streams(Paging::default()).await?.items.len(), 1);
    /// assert_eq!(run.list_hooks(Paging::default()).await?.items[0].token, "payment-17");
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn streams(&self) -> Result<Vec<StreamRecord>, Error> {
        let run = self.client.store.find(&self.id).await?;
        Ok(self.client.shown(self.client.store.streams(run.key).await?))
    }
}

/// The outcome of a run, once it has done what the caller waits for. Boxed for the reason given at
/// [`Builder::launch`](crate::Builder::launch).
fn ended<'a>(
    client: &'a Client,
    id: &'a RunId,
    started: Option<&'a EndSlot>,
    until: Until,
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
                client.waiters.wait(run.key, residents, until).await
            }
        }
    })
}

/// The error for a wait that reached its time limit.
fn timed_out(what: impl std::fmt::Display, limit: Duration) -> Error {
    Error::new(
        onward_types::Code::TimedOut,
        format!("timed out after {limit:?} waiting for {what}; the run is still in progress"),
    )
}
