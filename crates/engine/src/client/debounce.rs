//! Debounce: wait until inputs stop arriving, then process the last one in one run.

use std::marker::PhantomData;
use std::time::Duration;

use onward_types::{Error, check_name};

use super::Client;
use super::handle::WorkflowHandle;
use super::start::{Start, debounce};
use crate::data::Data;
use crate::future::BoxFuture;
use crate::workflow::Workflow;

/// Debounces inputs under one key. Made by [`Client::debounce`].
#[must_use = "nothing is started before `input` is awaited"]
pub struct Debounce<'a, W> {
    client: &'a Client,
    key: String,
    period: Duration,
    timeout: Option<Duration>,
    queue: Option<String>,
    workflow: PhantomData<fn() -> W>,
}

/// A run about to be started once inputs stop arriving. Made by [`Start::debounce`].
#[must_use = "nothing is started before it is awaited"]
pub struct DebouncedStart<'a, T> {
    start: Start<'a, T>,
    key: String,
    period: Duration,
    timeout: Option<Duration>,
}

impl<'a, T: Data> Start<'a, T> {
    /// Start the run only after `period` has passed without another start of its workflow under this key. There is one run,
    /// with the input and the version of the last start. Its other options are those of the first start.
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

    /// Start the run no later than this long after the first start, even if more keep arriving. The first start sets this.
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
    /// Start one run of a workflow for all inputs that arrive under a key, once `period` has passed without another one. The
    /// run gets the last input. The first input after the run has started begins a new run.
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
    /// Start the run no later than this long after the first input, even if more keep arriving.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Put the run into this queue instead of starting it.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Replace the pending input. Returns the handle of the run that will get it, unless another input replaces it before the
    /// run starts.
    ///
    /// # Errors
    /// `invalid` if the key is not a valid name; `not_registered` if this executor does not have the workflow; `conflict` if
    /// the key is used by [`batch`](Client::batch); `database` if the database cannot be reached.
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
