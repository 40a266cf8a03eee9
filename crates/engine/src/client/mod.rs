//! The client: starts, reads and manages runs, from any process.

mod acts;
pub(crate) mod batch;
pub(crate) mod changes;
mod count;
pub(crate) mod debounce;
pub(crate) mod documents;
pub(crate) mod enqueue;
pub(crate) mod event;
pub(crate) mod export;
mod feed;
pub(crate) mod fork;
pub(crate) mod fork_all;
pub(crate) mod handle;
pub(crate) mod hook;
mod inbox;
pub(crate) mod inside;
mod lazy;
mod manage;
pub(crate) mod mask;
mod pages;
pub(crate) mod pause;
pub(crate) mod queue;
pub(crate) mod queue_override;
pub(crate) mod schedule;
pub(crate) mod send;
mod shown;
pub(crate) mod start;
pub(crate) mod steer;
pub(crate) mod steer_all;
pub(crate) mod steerings;
pub(crate) mod stream;
mod workflows;

use std::marker::PhantomData;
use std::sync::Arc;

use onward_store::{Archive, Clock, Codec, DatabaseUrl, Store};
use onward_types::{Error, ExecutorRecord, Filter, Page, RunId, RunRecord, Sent};
use serde::Serialize;
use tokio::task::AbortHandle;

use self::event::GetEvent;
use self::handle::WorkflowHandle;
use self::hook::ResumeHook;
use self::mask::Mask;
use self::send::{Message, SendMessage};
use self::start::Start;
use self::stream::ReadStream;
use crate::data::Data;
use crate::executor::waiters::LAST_LOOK;
use crate::executor::{Executor, Waiters};
use crate::workflow::Workflow;

/// Starts and manages runs. A client executes no runs and needs no workflows: any process that can reach the database can have
/// one. Clones are cheap.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo() -> Result<()> {
/// let client = Client::connect("postgres://localhost/shop").await?;
/// let run = client.start_named("checkout", serde_json::json!({"id": "order-17"})).id("order-17").await?;
/// println!("{}", run.result().await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) store: Store,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) executor: Option<Arc<Executor>>,
    pub(crate) mask: Mask,
    feed: Arc<feed::Feed>,
    _listener: Arc<AbortOnDrop>,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// Connect to a database: `sqlite:app.db` or `postgres://…`. What is missing is created: the file, the tables, and on
    /// PostgreSQL the schema that the URL names. Tables of an older version are migrated.
    ///
    /// # Errors
    /// `invalid` if the URL cannot be parsed; `database` if the database cannot be reached; `schema` if its tables are of a
    /// newer version.
    pub async fn connect(url: &str) -> Result<Client, Error> {
        Client::connect_with(url, Clock::system()).await
    }

    /// Connect, and take the time from `clock`.
    ///
    /// ```
    /// # use onward_engine::{Client, Clock, Filter, Result, Timestamp};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let clock = Clock::virtual_at("2026-01-05T08:00:00Z".parse::<Timestamp>()?);
    /// let client = Client::connect_with("sqlite::memory:", clock).await?;
    /// client.start_named("report", ()).await?;
    /// let run = &client.list(Filter::all()).await?.items[0];
    /// assert_eq!(run.created_at.to_string(), "2026-01-05T08:00:00Z");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`connect`](Client::connect).
    pub async fn connect_with(url: &str, clock: Clock) -> Result<Client, Error> {
        let url: DatabaseUrl = url.parse()?;
        Ok(Client::on(Store::open(&url, clock).await?))
    }

    /// Connect to a database that already has Onward's tables, and create nothing. For tools that look at existing runs, where
    /// a mistyped URL must not create a new, empty database.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let refused = Client::connect_existing("sqlite:misspelt.db").await.unwrap_err();
    /// assert_eq!(refused.code(), "database");
    /// assert!(refused.message().contains("there is no SQLite file `misspelt.db`"));
    /// # Ok(()) }
    /// ```
    ///
    /// See [`connect`](Client::connect). Also [`Code::Database`](onward_types::Code::Database) if the file does not exist,
    /// [`Code::Schema`](onward_types::Code::Schema) if the database has no tables of Onward or older ones, and
    /// [`Code::Invalid`](onward_types::Code::Invalid) for `sqlite::memory:`, which another process cannot see.
    pub async fn connect_existing(url: &str) -> Result<Client, Error> {
        let url: DatabaseUrl = url.parse()?;
        Ok(Client::on(Store::open_existing(&url, Clock::system()).await?))
    }

    /// The same client with a codec that encodes and decodes the payloads of runs. It must be the codec of the executors: see
    /// [`Codec`].
    #[must_use]
    pub fn codec(self, codec: impl Codec) -> Client {
        let store = self.store.with_codec(Arc::new(codec));
        Client { mask: self.mask, ..Client::with(self.waiters.with_store(store)) }
    }

    /// The same client, but it shows fields of these names as `"***"` in every record that it returns: of runs, steps and their
    /// attempts, messages, events, [`chunks`](ReadStream::chunks) of streams, and schedules; in inputs, outputs, values,
    /// attributes, and the data of typed errors. `password` hides every field of that name, at any depth. `card.number` hides
    /// every `number` directly inside a `card`, or inside a list in a `card`. The whole value of the field is hidden.
    ///
    /// Workflows are not affected, and neither are calls that return a typed value: [`result`](WorkflowHandle::result),
    /// [`get_event`](WorkflowHandle::get_event) and the values of [`read_stream`](WorkflowHandle::read_stream). The tables,
    /// [`export`](WorkflowHandle::export) and the messages of errors are not masked either.
    #[must_use]
    pub fn mask<F: AsRef<str>>(mut self, fields: impl IntoIterator<Item = F>) -> Client {
        self.mask.add(fields);
        self
    }

    pub(crate) fn on(store: Store) -> Client {
        Client::with(Waiters::new(store))
    }

    fn with(waiters: Arc<Waiters>) -> Client {
        let store = waiters.store().clone();
        let listener = tokio::spawn(Waiters::keep_listening(Arc::downgrade(&waiters)));
        let _listener = Arc::new(AbortOnDrop(listener.abort_handle()));
        let feed = feed::Feed::new(store.clone());
        Client { store, waiters, executor: None, mask: Mask::default(), feed, _listener }
    }

    /// End every wait of this client, of its clones and handles, and of the clients made from it with a codec or a mask:
    /// [`result`](WorkflowHandle::result), [`settled`](WorkflowHandle::settled), the same with a limit,
    /// [`get_event`](Client::get_event), [`read_stream`](Client::read_stream) and [`changes`](Client::changes) return the error
    /// `stopped`, also those that begin later. What is there already is still returned, of a stream at most 100 chunks. Nothing
    /// else changes: runs go on, and all other calls still work. [`Onward::shutdown`](crate::Onward::shutdown) closes the client
    /// of the executor, so that a web server with open streams can exit.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// onward.close();
    /// let refused = onward.get_event::<u32>("convert-17", "progress").await.unwrap_err();
    /// assert_eq!(refused.code(), "stopped");
    /// # Ok(()) }
    /// ```
    pub fn close(&self) {
        self.waiters.close();
    }

    /// Start a run of a workflow. Resolves to a handle.
    ///
    /// Starting the same id again with the same workflow and input returns the same run. If the id belongs to a different run,
    /// the start fails with `conflict`.
    pub fn start<W: Workflow>(&self, input: W::Input) -> Start<'_, W::Output> {
        Start::new(self, W::NAME, Some(W::VERSION), crate::data::encode("input", &input))
    }

    /// Start a run of a workflow by its name.
    pub fn start_named(&self, workflow: impl AsRef<str>, input: impl Serialize) -> Start<'_, serde_json::Value> {
        Start::new(self, workflow.as_ref(), None, crate::data::encode("input", &input))
    }

    /// A handle to a run, typed by its workflow. Creating it does not check that the run exists.
    #[must_use]
    pub fn handle<W: Workflow>(&self, id: impl Into<String>) -> WorkflowHandle<W::Output> {
        self.handle_of(id)
    }

    /// A handle to a run whose output is decoded as any JSON. Creating it does not check that the run exists.
    #[must_use]
    pub fn handle_named(&self, id: impl Into<String>) -> WorkflowHandle<serde_json::Value> {
        self.handle_of(id)
    }

    fn handle_of<T>(&self, id: impl Into<String>) -> WorkflowHandle<T> {
        WorkflowHandle { client: self.clone(), id: RunId::recorded(id.into()), started: None, output: PhantomData }
    }

    /// Send a message to a run, on a topic; [`Ctx::recv`](crate::Ctx::recv) takes it. When this returns, the message is
    /// durable, whether or not the run waits for it yet. A run that has ended keeps the message unread. Resolves to a [`Sent`]:
    /// the number of the message, and whether its key was new.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let sent = client.send("expense-17", "decision", "approved").key("form-991").await?;
    /// println!("message {}, sent {}", sent.seq, if sent.is_new { "now" } else { "before" });
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` if the topic or the key is not valid, or if the message is known not
    /// to fit what the run waits for. In these cases nothing was sent, and the key is not used up. If only the run itself can
    /// tell that a message does not fit, it keeps it as refused: see [`WorkflowHandle::messages`].
    pub fn send(&self, run: impl Into<String>, topic: impl Into<String>, message: impl Serialize) -> SendMessage<'_> {
        SendMessage::new(&self.store, Message::new(run, topic, message))
    }

    /// Send many messages in one transaction: all or none. Returns what became of each, in the given order.
    ///
    /// ```
    /// # use onward_engine::{Client, Message, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// # for id in ["expense-1", "expense-2"] { client.start_named("expense", ()).id(id).await?; }
    /// let approvals = ["expense-1", "expense-2"].map(|run| Message::new(run, "decision", "approved").key("form-991"));
    /// let sent = client.send_all(approvals).await?;
    /// assert!(sent.iter().all(|sent| sent.is_new));
    ///
    /// let wrong = ["expense-1", "nobody"].map(|run| Message::new(run, "decision", "declined"));
    /// assert!(client.send_all(wrong).await.unwrap_err().is_unknown_run());
    /// assert_eq!(client.handle_named("expense-1").messages().await?.len(), 1, "all or none");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The error of the first message that cannot be sent: see [`send`](Client::send).
    pub async fn send_all(&self, messages: impl IntoIterator<Item = Message>) -> Result<Vec<Sent>, Error> {
        let messages = messages.into_iter().map(Message::checked).collect::<Result<_, _>>()?;
        self.store.send(messages).await
    }

    /// Send a payload to the hook with this token. Resolves to a [`Resumed`](crate::Resumed): the run of the hook, and whether the
    /// key was new. When this returns, the payload is durable, and [`OpenHook::recv`](crate::OpenHook::recv) takes it.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let resumed = client.resume_hook("payment-17", 4200).key("webhook-991").await?;
    /// println!("{} goes on", resumed.run);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_hook` if no hook has the token, because it was never opened or was closed; `gone` if the run of the hook has
    /// ended; `invalid` if the payload is known not to fit what the hook takes: then nothing was sent, and the hook stays open.
    pub fn resume_hook(&self, token: impl Into<String>, payload: impl Serialize) -> ResumeHook<'_> {
        ResumeHook::new(&self.store, token.into(), crate::data::encode("payload", &payload))
    }

    /// Read the latest value of an event of a run. If the event is not set, waits for it up to 60 s, and then returns `None`.
    /// The run need not exist yet.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let percent = client.get_event::<u8>("convert-17", "progress").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `decode` if the value is not a `T`.
    pub fn get_event<T: Data>(&self, run: impl Into<String>, key: impl Into<String>) -> GetEvent<'_, T> {
        GetEvent::new(self, RunId::recorded(run.into()), key.into())
    }

    /// Read a stream of a run: the existing values and then new ones as they arrive, until the stream is closed or the run has
    /// ended.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let mut tokens = client.read_stream::<String>("agent-17", "tokens");
    /// while let Some(token) = tokens.next().await {
    ///     print!("{}", token?);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// If the run does not exist, the first item is the error `unknown_run`.
    pub fn read_stream<T: Data>(&self, run: impl Into<String>, key: impl Into<String>) -> ReadStream<T> {
        ReadStream::new(self, RunId::recorded(run.into()), key.into())
    }

    /// Create the runs of a file that [`WorkflowHandle::export`] made, in this or another database, in one transaction. Returns
    /// the first run, which is the one that was exported. Runs that had not ended are paused until the first one is resumed;
    /// then the whole family continues, except for runs that had been paused before the export. Sleeps keep their wake-up
    /// times, and deadlines that have not passed are kept. Hooks keep their tokens, except for tokens that open runs in this
    /// database have.
    ///
    /// Parents and children are linked by the keys they had where they were exported, in one file or several, in any order. A
    /// run whose child was not imported is held when it is resumed, and its reason names the child.
    ///
    /// A run in a queue keeps its queue, partition, priority and dedup key. When it is resumed, it waits at the end of that
    /// queue; if the queue does not exist in this database, the run's reason says so. A delayed run keeps its start time.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(production: Client, here: Client) -> Result<()> {
    /// let file = production.handle_named("order-17").export().await?;
    /// let run = here.import(&file).await?;
    /// run.resume().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` if the file cannot be parsed; `conflict` if a run with one of the ids exists; `deduplicated` if the queue of a
    /// run has an open run with the same dedup key. In each case nothing is created.
    pub async fn import(&self, file: &str) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        self.first(self.import_all(file).await?)
    }

    /// As [`import`](Client::import), but returns every created run, in the order of the file.
    ///
    /// # Errors
    /// See [`import`](Client::import).
    pub async fn import_all(&self, file: &str) -> Result<Vec<WorkflowHandle<serde_json::Value>>, Error> {
        let ids = self.store.import(Archive::parse(file)?, None).await?;
        Ok(ids.into_iter().map(|id| self.handle_of(id.as_str())).collect())
    }

    /// As [`import`](Client::import), but creates the exported run under another id. The other runs of the file get ids that
    /// begin with it: `copy-3-4f1c9a7be02d` instead of `order-17-3-4f1c9a7be02d`, and `copy-parcel` instead of `parcel`.
    ///
    /// ```
    /// # use onward_engine::{Client, Result, Status};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// let file = client.start_named("order", 17).id("order-17").await?.export().await?;
    /// let copy = client.import_as(&file, "copy").await?;
    /// assert_eq!((copy.id(), copy.status().await?), ("copy", Status::Paused));
    ///
    /// let family = client.import_all_as(&file, "second").await?; // with the runs that it had started: none here
    /// assert_eq!(family.iter().map(|run| run.id()).collect::<Vec<_>>(), ["second"]);
    /// let taken = client.import_all(&file).await.unwrap_err();
    /// assert!(taken.is_conflict(), "order-17 exists");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`import`](Client::import).
    pub async fn import_as(
        &self,
        file: &str,
        id: impl Into<String>,
    ) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        self.first(self.import_all_as(file, id).await?)
    }

    /// As [`import_as`](Client::import_as), but returns every created run, in the order of the file.
    ///
    /// # Errors
    /// See [`import`](Client::import).
    pub async fn import_all_as(
        &self,
        file: &str,
        id: impl Into<String>,
    ) -> Result<Vec<WorkflowHandle<serde_json::Value>>, Error> {
        let ids = self.store.import(Archive::parse(file)?, Some(RunId::new(id.into())?)).await?;
        Ok(ids.into_iter().map(|id| self.handle_of(id.as_str())).collect())
    }

    fn first(&self, runs: Vec<WorkflowHandle<serde_json::Value>>) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        let none = "internal error: the import of the file created no run";
        runs.into_iter().next().ok_or_else(|| Error::new(onward_types::Code::Corrupt, none))
    }

    /// One page of the runs that match a filter, newest first unless the filter says otherwise.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn list(&self, filter: Filter) -> Result<Page<RunRecord>, Error> {
        Ok(self.shown(self.store.list(filter).await?))
    }

    /// Every executor that has not left.
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn executors(&self) -> Result<Vec<ExecutorRecord>, Error> {
        self.store.executors().await
    }
}

/// What is there when a wait has ended because the client was closed. A database that does not answer does not prolong the wait.
async fn last_look<T>(look: impl Future<Output = Result<Option<T>, Error>>, closed: Error) -> Result<T, Error> {
    match onward_store::real_time::timeout(LAST_LOOK, look).await {
        Ok(Ok(Some(found))) => Ok(found),
        Ok(Err(error)) if !error.is_transient() => Err(error),
        _ => Err(closed),
    }
}

/// The error for a wait that ended because the client was closed.
fn closed(what: impl std::fmt::Display) -> Error {
    let message =
        format!("this client was closed while it waited for {what}; no run is affected: wait with another client");
    Error::new(onward_types::Code::Stopped, message)
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
