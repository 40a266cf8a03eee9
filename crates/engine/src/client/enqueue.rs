//! Enqueueing runs by names alone.

use onward_types::{Error, RunOptions};
use serde::Serialize;

use super::Client;
use super::handle::WorkflowHandle;
use super::start::{Start, start_all};
use crate::future::BoxFuture;
use crate::plan::{Options, option_methods};

/// What to enqueue, by names alone: a workflow, a queue, and the options of the run.
///
/// ```
/// # use onward_engine::EnqueueOptions;
/// # use std::time::Duration;
/// let mail = EnqueueOptions::new("send", "mail").priority(3).timeout(Duration::from_secs(60));
/// let one = mail.clone().id("mail-17").dedup("ada@example.com");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a run is enqueued by `Client::enqueue`"]
pub struct EnqueueOptions {
    workflow: String,
    options: Options,
}

impl EnqueueOptions {
    /// A run of this workflow in this queue. Both have to be named.
    pub fn new(workflow: impl Into<String>, queue: impl Into<String>) -> EnqueueOptions {
        let options = RunOptions { queue: Some(queue.into()), ..RunOptions::default() };
        EnqueueOptions { workflow: workflow.into(), options: options.into() }
    }

    fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(&mut self.options);
        self
    }

    option_methods!(id);
}

/// What came of one of many.
type Enqueued = Result<WorkflowHandle<serde_json::Value>, Error>;

impl Client {
    /// Enqueue a run of a workflow by names alone. Await it for a handle.
    ///
    /// ```
    /// # use onward_engine::{Client, EnqueueOptions, Result, Status};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let client = Client::connect("sqlite::memory:").await?;
    /// client.queue("mail").concurrency(5).await?;
    /// let options = EnqueueOptions::new("send", "mail").priority(3);
    /// let run = client.enqueue(options, "ada@example.com").await?;
    /// assert_eq!(run.status().await?, Status::Enqueued);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` for a name or a priority that cannot be accepted, `conflict` for an id that is taken by another run, `deduplicated`
    /// for a dedup that an open run has.
    pub fn enqueue(&self, options: EnqueueOptions, input: impl Serialize) -> Start<'_, serde_json::Value> {
        let EnqueueOptions { workflow, options } = options;
        self.start_named(&workflow, input).set(|given| *given = options)
    }

    /// Enqueue many runs with few statements. Of each queue and priority, they are taken in the order in which they are given
    /// here. What comes back is in that order, too.
    ///
    /// ```
    /// # use onward_engine::{Client, EnqueueOptions, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let mail = EnqueueOptions::new("send", "mail");
    /// let runs = ["ada@example.com", "bob@example.com"].map(|to| (mail.clone(), to));
    /// assert_eq!(client.enqueue_all(runs).await?.len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Where something is wrong with one of them, and then none is enqueued; or where the database cannot be reached, and
    /// then some may be: the same call with the same ids enqueues the rest. One whose id or dedup is taken is a conflict of
    /// its own, and in nobody's way.
    pub fn enqueue_all<I: Serialize>(
        &self,
        runs: impl IntoIterator<Item = (EnqueueOptions, I)>,
    ) -> BoxFuture<'_, Result<Vec<Enqueued>, Error>> {
        let plans = runs.into_iter().filter_map(|(options, input)| self.enqueue(options, input).plan).collect();
        Box::pin(start_all(self, plans))
    }
}
