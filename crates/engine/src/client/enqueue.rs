//! Enqueue runs by the name of their workflow.

use onward_types::{Error, RunOptions};
use serde::Serialize;

use super::Client;
use super::handle::WorkflowHandle;
use super::start::{Start, start_all};
use crate::future::BoxFuture;
use crate::plan::{Options, option_methods};

/// What to enqueue: the names of a workflow and a queue, and the options of the run.
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
    /// A run of this workflow in this queue. Both names are required.
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

/// The result for one of several runs.
type Enqueued = Result<WorkflowHandle<serde_json::Value>, Error>;

impl Client {
    /// Enqueue a run of a workflow by its name. Resolves to a handle.
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
    /// `invalid` if a name or the priority is not valid; `conflict` if the id belongs to a different run; `deduplicated` if the
    /// queue already has an open run with this dedup key.
    pub fn enqueue(&self, options: EnqueueOptions, input: impl Serialize) -> Start<'_, serde_json::Value> {
        let EnqueueOptions { workflow, options } = options;
        self.start_named(&workflow, input).set(|given| *given = options)
    }

    /// Enqueue many runs with few statements. Within a queue and a priority, runs are claimed in the order given here. The
    /// results are in the same order.
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
    /// If one of the runs is not valid, and then none is enqueued; or `database` if the database cannot be reached, and then
    /// some may be enqueued: repeating the call with the same ids enqueues the rest. A run whose id or dedup key is taken gets
    /// an error of its own in the list and does not affect the others.
    pub fn enqueue_all<I: Serialize>(
        &self,
        runs: impl IntoIterator<Item = (EnqueueOptions, I)>,
    ) -> BoxFuture<'_, Result<Vec<Enqueued>, Error>> {
        let plans = runs.into_iter().filter_map(|(options, input)| self.enqueue(options, input).into_plan().ok());
        let plans = plans.map(|(_, plan)| plan).collect();
        Box::pin(start_all(self, plans))
    }
}
