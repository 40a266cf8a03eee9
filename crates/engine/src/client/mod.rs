//! The client: start runs, hold them, look at them and steer them, from any process.

pub(crate) mod batch;
pub(crate) mod debounce;
pub(crate) mod enqueue;
pub(crate) mod event;
pub(crate) mod export;
pub(crate) mod fork;
pub(crate) mod handle;
pub(crate) mod hook;
mod manage;
pub(crate) mod mask;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod send;
mod shown;
pub(crate) mod start;
pub(crate) mod stream;

use std::marker::PhantomData;
use std::sync::Arc;

use onward_store::{Archive, Clock, Codec, DatabaseUrl, ExecutorRow, Store};
use onward_types::{Error, Filter, Page, RunId, RunRecord};
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
use crate::executor::{Executor, Hub};
use crate::workflow::Workflow;

/// Starts and steers runs. It executes none itself, and needs no workflows: any process that reaches the database may
/// have one. Clones are cheap.
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
    pub(crate) hub: Arc<Hub>,
    pub(crate) executor: Option<Arc<Executor>>,
    pub(crate) mask: Mask,
    _listener: Arc<AbortOnDrop>,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// Connect to a database: `sqlite:app.db` or `postgres://…`. Where there is none yet it is made: the file, the tables,
    /// and on PostgreSQL the schema that the URL names; tables of an older version are brought up to date.
    ///
    /// # Errors
    /// Where the URL is not understood, the database cannot be reached, or its schema is too new.
    pub async fn connect(url: &str) -> Result<Client, Error> {
        Client::connect_with(url, Clock::system()).await
    }

    /// Connect, and take the time from `clock`.
    ///
    /// # Errors
    /// As [`connect`](Client::connect).
    pub async fn connect_with(url: &str, clock: Clock) -> Result<Client, Error> {
        let url: DatabaseUrl = url.parse()?;
        Ok(Client::on(Store::open(&url, clock).await?))
    }

    /// Connect to a database that is in use already, and make nothing: for tools that look at what others run, where a
    /// typing mistake must not end in a new, empty database.
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
    /// # Errors
    /// As [`connect`](Client::connect); [`Code::Database`](onward_types::Code::Database) where there is no such file,
    /// [`Code::Schema`](onward_types::Code::Schema) where the database has no tables of Onward or older ones, and
    /// [`Code::Invalid`](onward_types::Code::Invalid) for `sqlite::memory:`, which another process cannot see.
    pub async fn connect_existing(url: &str) -> Result<Client, Error> {
        let url: DatabaseUrl = url.parse()?;
        Ok(Client::on(Store::open_existing(&url, Clock::system()).await?))
    }

    /// The same client, but the payloads of runs are encoded and decoded by this codec, which has to be that of the executors:
    /// see [`Codec`].
    #[must_use]
    pub fn codec(self, codec: impl Codec) -> Client {
        Client { mask: self.mask, ..Client::on(self.store.with_codec(Arc::new(codec))) }
    }

    /// The same client, but fields of these names are shown as `"***"` in every record that it gives: of runs, steps and their
    /// attempts, messages, events, [`chunks`](ReadStream::chunks) of streams, and schedules, in inputs, outputs, values, attributes,
    /// and the data of typed errors. `password` hides every field of that name, however deep it lies; `card.number` every `number`
    /// that lies right in a `card`. Lists between them do not count. Whatever the field holds is hidden with it.
    ///
    /// Workflows see everything, and so do calls that wait for a value: [`result`](WorkflowHandle::result),
    /// [`event`](WorkflowHandle::event) and the values of a [`stream`](WorkflowHandle::stream) are whole. So are the tables, and
    /// [`export`](WorkflowHandle::export). The messages of errors are shown as they are.
    #[must_use]
    pub fn mask<F: AsRef<str>>(mut self, fields: impl IntoIterator<Item = F>) -> Client {
        self.mask.add(fields);
        self
    }

    pub(crate) fn on(store: Store) -> Client {
        let hub = Hub::new(store.clone());
        let listener = tokio::spawn(Hub::keep_listening(Arc::downgrade(&hub)));
        let _listener = Arc::new(AbortOnDrop(listener.abort_handle()));
        Client { store, hub, executor: None, mask: Mask::default(), _listener }
    }

    /// Start a run of a workflow. Await it for a handle.
    ///
    /// The same id, workflow and input give the same run; an id that is taken by anything else is a conflict.
    pub fn start<W: Workflow>(&self, input: W::Input) -> Start<'_, W::Output> {
        Start::new(self, W::NAME, Some(W::VERSION), crate::data::encode("input", &input))
    }

    /// Start a run of a workflow that is known by its name alone.
    pub fn start_named(&self, name: &str, input: impl Serialize) -> Start<'_, serde_json::Value> {
        Start::new(self, name, None, crate::data::encode("input", &input))
    }

    /// A handle to a run, typed by its workflow. Whether there is such a run shows when it is asked.
    #[must_use]
    pub fn handle<W: Workflow>(&self, id: impl Into<String>) -> WorkflowHandle<W::Output> {
        self.handle_of(id)
    }

    /// A handle to a run whose output is taken as any JSON.
    #[must_use]
    pub fn handle_named(&self, id: impl Into<String>) -> WorkflowHandle<serde_json::Value> {
        self.handle_of(id)
    }

    fn handle_of<T>(&self, id: impl Into<String>) -> WorkflowHandle<T> {
        WorkflowHandle { client: self.clone(), id: RunId::recorded(id.into()), started: None, output: PhantomData }
    }

    /// Send a message to a run, on a topic; [`Ctx::recv`](crate::Ctx::recv) takes it. When this returns, the message is kept,
    /// whether the run waits for it already or will later. A run that has ended keeps it too, and nobody takes it.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// client.send("expense-17", "decision", &"approved").key("form-991").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if there is no such run; `invalid` where the topic or the key cannot be accepted, or where the message is not
    /// what the run waits for, as far as that is known. Then nothing was sent, and the key is free. A message of which only the run
    /// can say that it does not fit is kept as refused: see [`WorkflowHandle::messages`].
    pub fn send(
        &self,
        run: impl Into<String>,
        topic: impl Into<String>,
        message: &(impl Serialize + ?Sized),
    ) -> SendMessage<'_> {
        SendMessage::new(&self.store, Message::new(run, topic, message))
    }

    /// Send many messages in one transaction, all or none.
    ///
    /// # Errors
    /// As [`send`](Client::send), for the first message with which something is wrong.
    pub async fn send_all(&self, messages: impl IntoIterator<Item = Message>) -> Result<(), Error> {
        let messages = messages.into_iter().map(Message::checked).collect::<Result<_, _>>()?;
        self.store.send(messages).await.map(drop)
    }

    /// Send a payload to the hook that has a token; awaits to the id of its run. When this returns the payload is kept, and
    /// [`OpenHook::recv`](crate::OpenHook::recv) takes it.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let run = client.resume_hook("payment-17", &4200).key("webhook-991").await?;
    /// println!("{run} goes on");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_hook` if no hook has the token: it was never opened, or was closed; `gone` if the run that had it has ended;
    /// `invalid` if the payload is not what the hook takes, as far as that is known: then nothing was sent, and the hook stays open.
    pub fn resume_hook(&self, token: impl Into<String>, payload: &(impl Serialize + ?Sized)) -> ResumeHook<'_> {
        ResumeHook::new(&self.store, token.into(), crate::data::encode("payload", payload))
    }

    /// The latest value of an event of a run. If it was never set, wait until it is, for up to 60 s; then it is `None`. A run
    /// that is not there yet is waited for like an event that is not set.
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

    /// Read a stream of a run: what is there, and what comes, until it is closed or the run has ended.
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
    /// The first thing that it gives is the error `unknown_run` if there is no such run.
    pub fn read_stream<T: Data>(&self, run: impl Into<String>, key: impl Into<String>) -> ReadStream<T> {
        ReadStream::new(self, RunId::recorded(run.into()), key.into())
    }

    /// Create the runs that a file has, which [`WorkflowHandle::export`] made, here or in another database, all in one
    /// transaction; gives the first of them, which was exported. Runs that had not ended are paused until that one is resumed:
    /// its family goes on with it, but for what somebody had paused before. Sleeps keep their time, and so does a deadline that is
    /// still to come. Hooks have their tokens, but for those that a run that goes on has here.
    ///
    /// Parents and children find each other by what they were where they were exported, in one file or in several, whichever
    /// comes first. A run whose child is not here is held when it is resumed, and says so.
    ///
    /// A run of a queue has its queue, with its partition, priority and dedup: resumed, it waits there, at the end of the line,
    /// and if nobody made the queue here its reason says so. One that was not to start yet does not start sooner.
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
    /// `invalid` where the file cannot be understood; `conflict` if there is a run of one of its ids; `deduplicated` if its queue
    /// has an open run of its dedup. That one stays as it is, and nothing is created.
    pub async fn import(&self, file: &str) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        self.first(self.import_all(file).await?)
    }

    /// As [`import`](Client::import), and gives every run that was created, in the order of the file.
    ///
    /// # Errors
    /// As [`import`](Client::import).
    pub async fn import_all(&self, file: &str) -> Result<Vec<WorkflowHandle<serde_json::Value>>, Error> {
        let ids = self.store.import(Archive::parse(file)?, None).await?;
        Ok(ids.into_iter().map(|id| self.handle_of(id.as_str())).collect())
    }

    /// Create the run that a file has under another id: as [`import`](Client::import). The runs that come with it have ids that
    /// begin with that one: `copy-3-4f1c9a7be02d` where it was `order-17-3-4f1c9a7be02d`, `copy-parcel` where it was `parcel`.
    ///
    /// # Errors
    /// As [`import`](Client::import).
    pub async fn import_as(
        &self,
        file: &str,
        id: impl Into<String>,
    ) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        self.first(self.import_all_as(file, id).await?)
    }

    /// As [`import_as`](Client::import_as), and gives every run that was created, in the order of the file.
    ///
    /// # Errors
    /// As [`import`](Client::import).
    pub async fn import_all_as(
        &self,
        file: &str,
        id: impl Into<String>,
    ) -> Result<Vec<WorkflowHandle<serde_json::Value>>, Error> {
        let ids = self.store.import(Archive::parse(file)?, Some(RunId::new(id.into())?)).await?;
        Ok(ids.into_iter().map(|id| self.handle_of(id.as_str())).collect())
    }

    fn first(&self, runs: Vec<WorkflowHandle<serde_json::Value>>) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        runs.into_iter().next().ok_or_else(|| Error::new(onward_types::Code::Corrupt, "a file of no run was imported"))
    }

    /// A page of runs, newest first unless the filter says otherwise.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn list(&self, filter: Filter) -> Result<Page<RunRecord>, Error> {
        Ok(self.shown(self.store.list(filter).await?))
    }

    /// Every executor that has not left.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn executors(&self) -> Result<Vec<ExecutorRow>, Error> {
        self.store.executors().await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
