//! Counters and gauges of an executor. `series.rs` counts by the names of workflows and steps, `text.rs` writes the text format of
//! Prometheus.

mod series;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onward_store::{Buckets, Histogram, JournalCounts};
use onward_types::{QueueRecord, Timestamp};

pub(crate) use series::OfWorkflow;
use series::Series;

use crate::trouble::Trouble;

/// The metrics of an executor. Made by [`Onward::metrics`](crate::Onward::metrics).
///
/// Counters begin at zero with the process, and continue when the executor gets a new id. Times are in seconds: for steps by
/// the clock of the store, for commits by the clock of the machine.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The current id of the executor.
    pub executor: String,
    /// The journal: commits, changes, batches, and how far it is behind.
    pub journal: JournalCounts,
    /// Runs that this executor claimed.
    pub claims: u64,
    /// Runs that began here: created here, or claimed for the first time.
    pub runs_started: u64,
    /// Runs that ended here with an output.
    pub runs_succeeded: u64,
    /// Runs that ended here with an error.
    pub runs_failed: u64,
    /// Runs that were held (paused with an error), because continuing would lose something: they diverged, or a value could not
    /// be read.
    pub runs_held: u64,
    /// Runs that were taken from this executor: cancelled, by a person or by their deadline, or paused.
    pub runs_taken: u64,
    /// Runs that left memory because they only waited.
    pub runs_parked: u64,
    /// Runs that were released in a shutdown.
    pub runs_released: u64,
    /// Attempts of runs that failed here and are followed by another attempt.
    pub runs_retried: u64,
    /// Runs that came back into memory and were replayed: after a park, a release, a resume or a recovery.
    pub replays: u64,
    /// Runs of dead executors that this one released for any executor to claim.
    pub recoveries: u64,
    /// Runs that this executor gave up because they crashed too often.
    pub given_up: u64,
    /// Attempts of steps that began.
    pub step_attempts: u64,
    /// Steps that ended with an output.
    pub steps_succeeded: u64,
    /// Steps that ended with an error, after all their attempts.
    pub steps_failed: u64,
    /// Bodies of steps that run now. One that only waits for another run does not count.
    pub steps_running: u64,
    /// Steps that wait to begin because [`Builder::steps_max`](crate::Builder::steps_max) bodies run. If it stays above zero, the limit
    /// holds back work.
    pub steps_waiting: u64,
    /// The duration of the attempts of steps, in seconds, with any result.
    pub step_seconds: Histogram,
    /// The same by workflow and by step, in the order of their names. 100 workflows and 200 steps are counted by name, those that
    /// come first. The others are counted together under the name `other`.
    pub workflows: Vec<WorkflowMetrics>,
    /// Runs in memory now.
    pub resident_runs: u64,
    /// How long ago this executor sent the last heartbeat that its database acknowledged, by its own clock. If it grows to the
    /// lease, no step begins here, and others may take the runs over. `None` on SQLite: a file has only one executor, which sends
    /// no heartbeats.
    pub heartbeat_age: Option<Duration>,
    /// How often this executor was declared dead.
    pub leases_lost: u64,
    /// How often it joined again after that.
    pub rejoins: u64,
    /// The counts of each queue that was created, by name, whichever executors serve it. Every executor of a database reports
    /// the same numbers, so take the maximum, not the sum. They are counted every ten seconds, or less often if counting takes
    /// long.
    pub queues: Vec<QueueMetrics>,
    /// What the executor currently fails to do, oldest first.
    pub trouble: Vec<Trouble>,
}

/// What the runs of one workflow did in an executor. A part of [`Metrics`].
///
/// ```
/// # use onward_engine::{Onward, Result};
/// # #[tokio::main] async fn main() -> Result<()> {
/// # let onward = Onward::open("sqlite::memory:").workflow_fn("double", "1", |_ctx, n: u32| async move { Ok(2 * n) }).launch().await?;
/// onward.start_named("double", 21).await?.result().await?;
/// let metrics = onward.metrics();
/// let double = &metrics.workflows[0];
/// assert_eq!((double.name.as_str(), double.runs_succeeded), ("double", 1));
/// println!("{} s on average", double.run_seconds.sum / double.run_seconds.count() as f64);
/// for step in &double.steps {
///     println!("{}: {} attempts failed", step.name, step.attempts_failed.count());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WorkflowMetrics {
    /// The name of the workflow; `other` for all beyond the limit, `unknown` for runs that could not be read.
    pub name: String,
    /// Runs that ended here with an output.
    pub runs_succeeded: u64,
    /// Runs that ended here with an error.
    pub runs_failed: u64,
    /// Runs that were held here: see [`Metrics::runs_held`].
    pub runs_held: u64,
    /// Runs that were taken from this executor: cancelled or paused.
    pub runs_taken: u64,
    /// The seconds from the start of a run to its end, with everything that it waited for, of the runs that ended here.
    pub run_seconds: Histogram,
    /// The steps of these runs.
    pub steps: Vec<StepMetrics>,
}

/// What one step did in an executor. A part of [`WorkflowMetrics`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StepMetrics {
    /// The name of the step; `other` for all beyond the limit.
    pub name: String,
    /// How often the step ended with an output.
    pub succeeded: u64,
    /// How often it ended with an error, after all its attempts.
    pub failed: u64,
    /// The duration in seconds of the attempts that gave an output.
    pub attempts_succeeded: Histogram,
    /// The duration in seconds of the attempts that gave an error.
    pub attempts_failed: Histogram,
}

/// The counts of a queue a moment ago.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueueMetrics {
    /// The name of the queue.
    pub name: String,
    /// Delayed runs that will enter the queue later.
    pub delayed: u64,
    /// Runs that wait in the queue.
    pub waiting: u64,
    /// Runs of the queue that have started and not ended: in memory, parked, or about to leave their executor.
    pub running: u64,
    /// The age of the run that has waited longest, in seconds since its creation; zero if no run waits.
    pub oldest_seconds: f64,
}

impl QueueMetrics {
    pub(crate) fn of(queue: &QueueRecord, now: Timestamp) -> QueueMetrics {
        let age = |since: Timestamp| now.duration_since(since).as_secs_f64().max(0.0);
        QueueMetrics {
            name: queue.name.clone(),
            delayed: queue.delayed,
            waiting: queue.waiting,
            running: queue.running,
            oldest_seconds: queue.oldest.map_or(0.0, age),
        }
    }
}

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn one(&self) {
        self.many(1);
    }

    pub(crate) fn many(&self, many: usize) {
        self.0.fetch_add(many as u64, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of an executor.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) claims: Counter,
    pub(crate) runs_started: Counter,
    pub(crate) runs_parked: Counter,
    pub(crate) runs_released: Counter,
    pub(crate) runs_retried: Counter,
    pub(crate) replays: Counter,
    pub(crate) recoveries: Counter,
    pub(crate) given_up: Counter,
    pub(crate) step_attempts: Counter,
    pub(crate) series: Series,
    pub(crate) leases_lost: Counter,
    pub(crate) rejoins: Counter,
}

impl Counters {
    /// The metrics from all counters and the given values.
    pub(crate) fn read(&self, executor: String, journal: JournalCounts, resident_runs: usize) -> Metrics {
        let mut metrics = Metrics {
            executor,
            journal,
            claims: self.claims.read(),
            runs_started: self.runs_started.read(),
            runs_parked: self.runs_parked.read(),
            runs_released: self.runs_released.read(),
            runs_retried: self.runs_retried.read(),
            replays: self.replays.read(),
            recoveries: self.recoveries.read(),
            given_up: self.given_up.read(),
            step_attempts: self.step_attempts.read(),
            resident_runs: resident_runs as u64,
            leases_lost: self.leases_lost.read(),
            rejoins: self.rejoins.read(),
            workflows: self.series.read(),
            step_seconds: Buckets::of_steps().read(),
            ..Metrics::default()
        };
        metrics.add_up();
        metrics
    }
}

impl Metrics {
    /// The sums over all workflows.
    fn add_up(&mut self) {
        for workflow in &self.workflows {
            self.runs_succeeded += workflow.runs_succeeded;
            self.runs_failed += workflow.runs_failed;
            self.runs_held += workflow.runs_held;
            self.runs_taken += workflow.runs_taken;
            for step in &workflow.steps {
                self.steps_succeeded += step.succeeded;
                self.steps_failed += step.failed;
                self.step_seconds.add(&step.attempts_succeeded);
                self.step_seconds.add(&step.attempts_failed);
            }
        }
    }
}
