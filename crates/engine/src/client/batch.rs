//! Batches: collect many items over a short time and process them in one run.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_types::{Code, Error, check_name};

use super::Client;
use super::handle::WorkflowHandle;
use super::lazy::Lazy;
use super::start::{Pushed, Start, push};
use crate::data::Data;
use crate::workflow::Workflow;

/// The default maximum number of items of a batch.
const MAX: u32 = 100;
/// The largest maximum that can be set, because each push writes the whole batch.
const MOST: u32 = 1_000;
/// How long a batch waits for more items by default.
const WITHIN: Duration = Duration::from_secs(1);

/// Collects items under one key. Made by [`Client::batch`].
pub struct Batch<'a, W> {
    client: &'a Client,
    key: String,
    max: u32,
    within: Duration,
    queue: Option<String>,
    workflow: PhantomData<fn() -> W>,
}

/// An item about to be pushed into a batch. Made by [`Batch::push`] and [`Start::batch`]; resolves to the handle of the run
/// that will process the item.
#[must_use = "an item is pushed when this is awaited"]
pub struct Push<'a, T> {
    call: Lazy<'a, Parts<'a, T>, Result<WorkflowHandle<T>, Error>>,
}

struct Parts<'a, T> {
    start: Start<'a, T>,
    batch: String,
    max: u32,
    within: Duration,
    key: Option<String>,
}

impl Client {
    /// Start one run of a workflow for all items that are pushed under a key. Its input is a list of the items, in the order in
    /// which they were pushed. The run starts when it has [`max`](Batch::max) items, or [`within`](Batch::within) after the
    /// first item, whichever comes first. The next item then begins a new batch.
    ///
    /// ```
    /// # use onward_engine::{BoxFuture, Client, Ctx, Result, Workflow};
    /// # enum index {}
    /// # impl Workflow for index {
    /// #     const NAME: &'static str = "index"; const VERSION: &'static str = "1";
    /// #     type Input = Vec<String>; type Output = ();
    /// #     fn run(_: Ctx, _: Vec<String>) -> BoxFuture<'static, Result<()>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// use std::time::Duration;
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let batch = client.batch::<index>("acme").max(50).within(Duration::from_secs(5));
    /// let first = batch.push("ada".to_owned()).await?;
    /// let second = batch.push("bob".to_owned()).await?;
    /// assert_eq!(first.id(), second.id());
    /// # Ok(()) }
    /// ```
    pub fn batch<W: Workflow>(&self, key: impl Into<String>) -> Batch<'_, W> {
        Batch { client: self, key: key.into(), max: MAX, within: WITHIN, queue: None, workflow: PhantomData }
    }
}

impl<'a, W> Batch<'a, W> {
    /// The number of items at which the batch is full, starts and accepts no more: 1 to 1,000, by default 100. A batch also
    /// refuses an item that would make it larger than 1 MiB. Each push brings its own maximum.
    #[must_use]
    pub fn max(mut self, items: u32) -> Self {
        self.max = items;
        self
    }

    /// How long after its first item the batch starts even if it is not full: by default one second. Items that arrive before
    /// the run starts still join it. The first item of a batch sets this.
    #[must_use]
    pub fn within(mut self, window: Duration) -> Self {
        self.within = window;
        self
    }

    /// Put the run into this queue instead of starting it. The first item of a batch sets this.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Push an item. Resolves to the handle of the run that will process it.
    ///
    /// # Errors
    /// `invalid` if the key is not a valid name, the maximum is out of range or the time is zero; `encode` if the item cannot
    /// be written as JSON; `not_registered` if this executor does not have the workflow; `key_reused` if the key is used by
    /// [`debounce`](Start::debounce); `database` if the database cannot be reached. In each case nothing is pushed.
    pub fn push<I: Data>(&self, item: I) -> Push<'a, W::Output>
    where
        W: Workflow<Input = Vec<I>>,
    {
        let item = crate::data::encode("item", &item);
        let start = Start::new(self.client, W::NAME, Some(W::VERSION), item);
        let start = start.set(|options| options.given.queue.clone_from(&self.queue));
        let parts = Parts { start, batch: self.key.clone(), max: self.max, within: self.within, key: None };
        Push { call: Lazy::new(parts) }
    }
}

impl<'a> Start<'a, serde_json::Value> {
    /// Push the input of this start, as one item, into the batch of its workflow under this key, as [`Client::batch`] does. The
    /// options of the run are those of the first item.
    ///
    /// ```
    /// # use onward_engine::{Client, EnqueueOptions, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # use std::time::Duration;
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let index = EnqueueOptions::new("index", "slow");
    /// let push = |name: &str| client.enqueue(index.clone(), name).batch("acme").max(50).within(Duration::from_secs(5));
    /// let first = push("ada").key("row-1").await?;
    /// let again = push("ada").key("row-1").await?;
    /// assert_eq!(first.id(), again.id());
    /// # Ok(()) }
    /// ```
    pub fn batch(self, key: impl Into<String>) -> Push<'a, serde_json::Value> {
        Push { call: Lazy::new(Parts { start: self, batch: key.into(), max: MAX, within: WITHIN, key: None }) }
    }
}

impl<T> Push<'_, T> {
    /// See [`Batch::max`].
    pub fn max(mut self, items: u32) -> Self {
        self.call.change(|parts| parts.max = items);
        self
    }

    /// See [`Batch::within`].
    pub fn within(mut self, window: Duration) -> Self {
        self.call.change(|parts| parts.within = window);
        self
    }

    /// An idempotency key. Pushing the same item again with the same key, into the batch of the same key, returns the run that
    /// has the item, as long as that run exists: so a push whose result is unknown can be repeated. Another item under the same
    /// key is refused with `key_reused`.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.call.change(|parts| parts.key = Some(key.into()));
        self
    }
}

impl<T: Data> Parts<'_, T> {
    async fn push(self) -> Result<WorkflowHandle<T>, Error> {
        let Parts { start, batch, max, within, key } = self;
        check(&batch, max, within, key.as_deref())?;
        let (client, mut plan) = start.into_plan()?;
        plan.gathers_for("a batch", "the time within which its items come", within)?;
        let id = push(client, plan, Pushed { batch, max, key }).await?;
        Ok(WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData })
    }
}

impl<T: Data> Future for Push<'_, T> {
    type Output = Result<WorkflowHandle<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll(cx, |parts| Box::pin(parts.push()))
    }
}

fn check(batch: &str, max: u32, within: Duration, key: Option<&str>) -> Result<(), Error> {
    check_name("batch key", batch)?;
    key.map_or(Ok(()), |key| check_name("key of a push", key))?;
    let invalid = |message: String| Err(Error::new(Code::Invalid, message));
    if !(1..=MOST).contains(&max) {
        return invalid(format!("the maximum number of items of a batch must be between 1 and {MOST}, not {max}"));
    }
    if within.is_zero() {
        return invalid("the time for which a batch collects items must be greater than zero".to_owned());
    }
    Ok(())
}

impl<W> std::fmt::Debug for Batch<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Batch { key, max, within, .. } = self;
        f.debug_struct("Batch").field("key", key).field("max", max).field("within", within).finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for Push<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = self.call.parts();
        let (batch, key) = (parts.map(|it| &it.batch), parts.and_then(|it| it.key.as_ref()));
        f.debug_struct("Push").field("batch", &batch).field("key", &key).finish_non_exhaustive()
    }
}
