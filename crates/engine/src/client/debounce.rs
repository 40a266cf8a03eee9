//! Debounce: many inputs in a short time, and one run with the last of them.

use std::marker::PhantomData;
use std::time::Duration;

use onward_types::{Error, check_name};

use super::Client;
use super::handle::WorkflowHandle;
use super::start::{Start, debounce};
use crate::data::Data;
use crate::future::BoxFuture;
use crate::workflow::Workflow;

/// Inputs that come one after another under one key. Made by [`Client::debounce`].
#[must_use = "nothing is started before `input` is awaited"]
pub struct Debounce<'a, W> {
    client: &'a Client,
    key: String,
    period: Duration,
    timeout: Option<Duration>,
    queue: Option<String>,
    workflow: PhantomData<fn() -> W>,
}

/// A run about to be started once no more inputs come. Made by [`Start::debounce`].
#[must_use = "nothing is started before it is awaited"]
pub struct DebouncedStart<'a, T> {
    start: Start<'a, T>,
    key: String,
    period: Duration,
    timeout: Option<Duration>,
}

impl<'a, T: Data> Start<'a, T> {
    /// Do not start the run before no other start of its workflow has come under this key for `period`; then there is one run,
    /// with the input of the last of them and its version. What else is said of a run is taken from the first of them.
    ///
    /// ```
    /// # use onward_engine::{Client, EnqueueOptions, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # use std::time::Duration;
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let index = EnqueueOptions::new("index", "slow");
    /// let edit = |text: &str| client.enqueue(index.clone(), text).debounce("document-7", Duration::from_secs(5));
    /// let first = edit("draft").await?;
    /// let second = edit("final").timeout(Duration::from_secs(60)).await?;
    /// assert_eq!(first.id(), second.id());
    /// # Ok(()) }
    /// ```
    pub fn debounce(self, key: impl Into<String>, period: Duration) -> DebouncedStart<'a, T> {
        DebouncedStart { start: self, key: key.into(), period, timeout: None }
    }
}

impl<T> DebouncedStart<'_, T> {
    fn with_timeout(self, timeout: Option<Duration>) -> Self {
        DebouncedStart { timeout, ..self }
    }

    /// Start it this long after the first of them at the latest, even if more keep coming. The first one says so.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<'a, T: Data> IntoFuture for DebouncedStart<'a, T> {
    type Output = Result<WorkflowHandle<T>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            check_name("debounce key", &self.key)?;
            let (client, mut plan) = self.start.into_plan()?;
            plan.gathers_for("debounced", "its period", self.period)?;
            debounce(client, plan, self.key, self.timeout).await
        })
    }
}

impl<T> std::fmt::Debug for DebouncedStart<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebouncedStart").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Client {
    /// Start one run of a workflow for all inputs that come under a key, once none has come for `period`. It gets the last of
    /// them. The next input after its start begins a new run.
    ///
    /// ```
    /// # use onward_engine::{BoxFuture, Client, Ctx, Result, Workflow};
    /// # enum index {}
    /// # impl Workflow for index {
    /// #     const NAME: &'static str = "index"; const VERSION: &'static str = "1";
    /// #     type Input = String; type Output = ();
    /// #     fn run(_: Ctx, _: String) -> BoxFuture<'static, Result<()>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// use std::time::Duration;
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let edits = || client.debounce::<index>("document-7", Duration::from_secs(5)).timeout(Duration::from_secs(60));
    /// let first = edits().input("draft".to_owned()).await?;
    /// let second = edits().input("final".to_owned()).await?;
    /// assert_eq!(first.id(), second.id());
    /// # Ok(()) }
    /// ```
    pub fn debounce<W: Workflow>(&self, key: impl Into<String>, period: Duration) -> Debounce<'_, W> {
        Debounce { client: self, key: key.into(), period, timeout: None, queue: None, workflow: PhantomData }
    }
}

impl<W: Workflow> Debounce<'_, W> {
    /// Start it this long after the first input at the latest, even if inputs keep coming.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Let it enter this queue then, instead of starting.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// The last input so far. Gives the run that will have it, unless another input comes before it starts.
    ///
    /// # Errors
    /// `invalid` for a key that is none, `not_registered` if this executor does not have the workflow, or where the database
    /// cannot be reached.
    pub async fn input(self, input: W::Input) -> Result<WorkflowHandle<W::Output>, Error> {
        let mut start = self.client.start::<W>(input);
        if let Some(queue) = self.queue {
            start = start.queue(queue);
        }
        start.debounce(self.key, self.period).with_timeout(self.timeout).await
    }
}

impl<W> std::fmt::Debug for Debounce<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debounce").field("key", &self.key).field("period", &self.period).finish_non_exhaustive()
    }
}
