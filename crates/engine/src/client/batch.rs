//! Batches: many items in a short time, and one run with all of them.

use std::marker::PhantomData;
use std::time::Duration;

use onward_types::{Code, Error, check_name};

use super::Client;
use super::handle::WorkflowHandle;
use super::start::{Pushed, Start, push};
use crate::data::Data;
use crate::future::BoxFuture;
use crate::workflow::Workflow;

/// So many items a batch takes, unless something else is said.
const MAX: u32 = 100;
/// So many at the most, for each push writes the whole batch.
const MOST: u32 = 1_000;
/// So long a batch waits for more items, unless something else is said.
const WITHIN: Duration = Duration::from_secs(1);

/// Where items are gathered under one key. Made by [`Client::batch`].
pub struct Batch<'a, W> {
    client: &'a Client,
    key: String,
    max: u32,
    within: Duration,
    queue: Option<String>,
    workflow: PhantomData<fn() -> W>,
}

/// An item about to be pushed into a batch. Made by [`Batch::push`] and [`Start::batch`]; awaits to the handle of the run that
/// has it.
#[must_use = "an item is pushed when this is awaited"]
pub struct Push<'a, T> {
    start: Start<'a, T>,
    batch: String,
    max: u32,
    within: Duration,
    key: Option<String>,
}

impl Client {
    /// Start one run of a workflow for all items that come under a key: its input is a list of them, in the order in which they
    /// were pushed. It starts as soon as there are [`max`](Batch::max) of them, or [`within`](Batch::within) so long after the
    /// first. The next item after that begins a new batch.
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
    /// With so many items the batch is due at once and takes no more: 1 to 1,000, and 100 if nothing is said. A batch takes no
    /// item, either, that would make it longer than 1 MiB. Each push says for itself how many are enough.
    #[must_use]
    pub fn max(mut self, items: u32) -> Self {
        self.max = items;
        self
    }

    /// So long after its first item the batch is due, however few there are: one second if nothing is said. What comes before it
    /// starts is still a part of it. The first item says so.
    #[must_use]
    pub fn within(mut self, window: Duration) -> Self {
        self.within = window;
        self
    }

    /// Let it enter this queue then, instead of starting. The first item says so.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Push an item. Await it for the run that has it.
    ///
    /// # Errors
    /// `invalid` for a key that is none, for no items and for no time; `encode` for an item that is no JSON; `not_registered` if
    /// this executor does not have the workflow; `conflict` if the key is in use for [`debounce`](Client::debounce); or where the
    /// database cannot be reached. Nothing is pushed then.
    pub fn push<I: Data>(&self, item: I) -> Push<'a, W::Output>
    where
        W: Workflow<Input = Vec<I>>,
    {
        let item = crate::data::encode("item", &item);
        let start = Start::new(self.client, W::NAME, Some(W::VERSION), item);
        let start = start.set(|options| options.given.queue.clone_from(&self.queue));
        Push { start, batch: self.key.clone(), max: self.max, within: self.within, key: None }
    }
}

impl<'a> Start<'a, serde_json::Value> {
    /// Push the input of this start, as one item, into the batch of its workflow under this key, as [`Client::batch`] does. What
    /// else is said of a run is taken from the first item.
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
        Push { start: self, batch: key.into(), max: MAX, within: WITHIN, key: None }
    }
}

impl<T> Push<'_, T> {
    /// As [`Batch::max`].
    pub fn max(mut self, items: u32) -> Self {
        self.max = items;
        self
    }

    /// As [`Batch::within`].
    pub fn within(mut self, window: Duration) -> Self {
        self.within = window;
        self
    }

    /// The same key again, in the same batch key, is the same push, as long as the run that has its item is there: whoever does
    /// not know whether a push went well may push again, and gets that run. Another item under the key is a conflict.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl<'a, T: Data> IntoFuture for Push<'a, T> {
    type Output = Result<WorkflowHandle<T>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Push { start, batch, max, within, key } = self;
            check(&batch, max, within, key.as_deref())?;
            let (client, mut plan) = start.into_plan()?;
            plan.gathers_for("a batch", "the time within which its items come", within)?;
            let id = push(client, plan, Pushed { batch, max, key }).await?;
            Ok(WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData })
        })
    }
}

fn check(batch: &str, max: u32, within: Duration, key: Option<&str>) -> Result<(), Error> {
    check_name("batch key", batch)?;
    key.map_or(Ok(()), |key| check_name("key of a push", key))?;
    let invalid = |message: String| Err(Error::new(Code::Invalid, message));
    if !(1..=MOST).contains(&max) {
        return invalid(format!("a batch cannot have {max} items: say 1 to {MOST} with `.max(…)`"));
    }
    if within.is_zero() {
        return invalid("a batch needs time for its items: say how long with `.within(…)`".to_owned());
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
        f.debug_struct("Push").field("batch", &self.batch).field("key", &self.key).finish_non_exhaustive()
    }
}
