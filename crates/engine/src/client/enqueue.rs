//! Enqueueing: where and how a run waits in a queue.

use std::time::Duration;

use onward_store::{Existing, Queued, Store};
use onward_types::{Code, Deduplicated, Error, RunId, RunRecord, check_name};
use serde::Serialize;

use super::Client;
use super::handle::WorkflowHandle;
use super::start::{Start, start_all};
use crate::workflow::BoxFuture;

/// How a run is to wait, as it was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) queue: Option<String>,
    pub(crate) priority: Option<i64>,
    pub(crate) partition: Option<String>,
    pub(crate) dedup: Option<String>,
    /// Whether a run with the same dedup is taken for this one.
    pub(crate) or_existing: bool,
}

impl Line {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(queue) = &self.queue else {
            let said = [
                ("priority", self.priority.is_some()),
                ("partition", self.partition.is_some()),
                ("dedup", self.dedup.is_some()),
            ];
            return match said.into_iter().find(|(_, said)| *said) {
                None => Ok(()),
                Some((what, _)) => {
                    let message = format!("a {what} is one of a queue: name the queue with `.queue(…)`");
                    Err(Error::new(Code::Invalid, message))
                }
            };
        };
        check_name("queue's name", queue)?;
        if let Some(priority) = self.priority.filter(|it| !(1..=i64::from(i32::MAX)).contains(it)) {
            let message = format!(
                "{priority} is no priority: give 1 to {}, where lower numbers come first, or none to come before all",
                i32::MAX
            );
            return Err(Error::new(Code::Invalid, message));
        }
        self.partition.as_ref().map_or(Ok(()), |key| check_name("partition key", key))?;
        self.dedup.as_ref().map_or(Ok(()), |dedup| check_name("dedup", dedup))
    }

    pub(crate) fn queued(&self) -> Option<Queued> {
        Some(Queued {
            queue: self.queue.clone()?,
            priority: self.priority.and_then(|it| u32::try_from(it).ok()).unwrap_or(0),
            partition: self.partition.clone(),
            dedup: self.dedup.clone(),
        })
    }

    /// A run of the queue has the same dedup: it is taken for the one that was to be enqueued, or it is in its way.
    pub(crate) async fn duplicate(&self, store: &Store, workflow: &str, holder: &Existing) -> Result<RunId, Error> {
        let (queue, dedup) = self.names();
        if !self.or_existing {
            let instead = "Wait for it, cancel it, or enqueue with `dedup_or_existing`, which gives that run";
            return Err(self.taken(store, holder, instead).await);
        }
        if holder.workflow != workflow {
            let message = format!(
                "the open run of queue `{queue}` with dedup `{dedup}`, {:?}, is of workflow `{}`, not `{workflow}`",
                holder.id, holder.workflow
            );
            return Err(Error::new(Code::Conflict, message));
        }
        Ok(holder.id.clone())
    }

    /// That a run of the queue has the same dedup.
    pub(crate) async fn taken(&self, store: &Store, holder: &Existing, instead: &str) -> Error {
        let (queue, dedup) = self.names();
        let (queue, dedup, run) = (queue.to_owned(), dedup.to_owned(), holder.id.clone());
        match store.describe(&run).await {
            Ok(RunRecord { status, reason, .. }) => Deduplicated { queue, dedup, run, status, reason }.refused(instead),
            // It was there, and has been deleted since.
            Err(error) => error,
        }
    }

    fn names(&self) -> (&str, &str) {
        (self.queue.as_deref().unwrap_or_default(), self.dedup.as_deref().unwrap_or_default())
    }

    /// A run that gathers inputs is never another one: that has begun, perhaps, and would not get them.
    pub(crate) fn check_gathering(&self) -> Result<(), Error> {
        if self.or_existing {
            let message =
                "a run that is there already does not get this input: say `.dedup(…)`, and an error tells you of it";
            return Err(Error::new(Code::Invalid, message));
        }
        Ok(())
    }
}

impl<T> Start<'_, T> {
    /// Let the run wait in this queue until it may start. Any executor that has its workflow may take it. In a process that
    /// executes the workflow it begins there at once, if the queue has no limits, is not paused, and nobody waits in it.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.with(|plan| plan.line.queue = Some(queue.into()))
    }

    /// Its priority in the queue, from 1 to 2,147,483,647: lower numbers come first, and runs without one before all. Among
    /// those of one priority, who came first is taken first.
    pub fn priority(self, priority: u32) -> Self {
        self.with(|plan| plan.line.priority = Some(i64::from(priority)))
    }

    /// What it shares the limits of a partition of the queue by: a customer, for example. A run without one counts only
    /// against the limits of the whole queue.
    pub fn partition(self, key: impl Into<String>) -> Self {
        self.with(|plan| plan.line.partition = Some(key.into()))
    }

    /// Let no two open runs of the queue have the same dedup. While there is one, this one is refused with the code
    /// `deduplicated`, and the error names it: see [`Deduplicated`]. Once it has ended or was cancelled, the next may come.
    pub fn dedup(self, dedup: impl Into<String>) -> Self {
        self.with(|plan| plan.line.dedup = Some(dedup.into()))
    }

    /// As [`dedup`](Start::dedup), but while there is an open run with the same dedup, its handle is what comes back.
    pub fn dedup_or_existing(self, dedup: impl Into<String>) -> Self {
        self.with(|plan| {
            plan.line.dedup = Some(dedup.into());
            plan.line.or_existing = true;
        })
    }
}

/// What to enqueue, by names alone. Made with `EnqueueOptions { workflow: …, queue: …, ..Default::default() }`.
#[derive(Clone, Debug, Default)]
pub struct EnqueueOptions {
    /// The workflow's name.
    pub workflow: String,
    /// The queue.
    pub queue: String,
    /// The run's id; without one it is a UUIDv7.
    pub id: Option<String>,
    /// The workflow's version; without one it is open until an executor claims the run, and then the newest of that executor.
    pub version: Option<String>,
    /// Cancel the run, with all it started, if it has not ended this long after its start. The time in the queue does not
    /// count.
    pub timeout: Option<Duration>,
    /// Let it enter the queue no sooner than in this long.
    pub delay: Option<Duration>,
    /// Let no two open runs of the queue have the same.
    pub dedup: Option<String>,
    /// From 1 to 2,147,483,647: lower numbers come first, and runs without one before all.
    pub priority: Option<i64>,
    /// What it shares the limits of a partition by.
    pub partition: Option<String>,
    /// How often it may be recovered without progress; without one 100.
    pub max_recoveries: Option<u32>,
    /// The user on whose behalf it works.
    pub user: Option<String>,
    /// Every role that the user could have taken.
    pub roles: Vec<String>,
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
    /// let options = EnqueueOptions { workflow: "send".into(), queue: "mail".into(), ..Default::default() };
    /// let run = client.enqueue(options, "ada@example.com").await?;
    /// assert_eq!(run.status().await?, Status::Enqueued);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` for a name or a priority that cannot be accepted, `conflict` for an id that is taken by another run, `deduplicated`
    /// for a dedup that an open run has.
    pub fn enqueue(&self, options: EnqueueOptions, input: impl Serialize) -> Start<'_, serde_json::Value> {
        let EnqueueOptions { workflow, queue, id, version, timeout, delay, dedup, priority, .. } = options;
        let start = self.start_named(&workflow, input);
        start.with(|plan| {
            plan.line = Line { queue: Some(queue), priority, partition: options.partition, dedup, or_existing: false };
            plan.id = id;
            plan.version = version;
            plan.timeout = timeout;
            plan.delay = delay;
            plan.recoveries_max = options.max_recoveries.unwrap_or(plan.recoveries_max);
            if options.user.is_some() || !options.roles.is_empty() {
                let identity = plan.identity.get_or_insert_default();
                identity.user = options.user;
                identity.roles = options.roles;
            }
        })
    }

    /// Enqueue many runs with few statements. Of each queue and priority, they are taken in the order in which they are given
    /// here. What comes back is in that order, too.
    ///
    /// ```
    /// # use onward_engine::{Client, EnqueueOptions, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let mail = EnqueueOptions { workflow: "send".into(), queue: "mail".into(), ..Default::default() };
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
