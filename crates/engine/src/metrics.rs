//! Counters and gauges of an executor: as a struct, or in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onward_store::{Buckets, Histogram, JournalCounts};
use onward_types::{QueueRecord, Timestamp};

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
    /// The duration of the attempts of steps, in seconds, with any result.
    pub step_seconds: Histogram,
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
pub(crate) struct Counters {
    pub(crate) claims: Counter,
    pub(crate) runs_started: Counter,
    pub(crate) runs_succeeded: Counter,
    pub(crate) runs_failed: Counter,
    pub(crate) runs_held: Counter,
    pub(crate) runs_taken: Counter,
    pub(crate) runs_parked: Counter,
    pub(crate) runs_released: Counter,
    pub(crate) runs_retried: Counter,
    pub(crate) replays: Counter,
    pub(crate) recoveries: Counter,
    pub(crate) given_up: Counter,
    pub(crate) step_attempts: Counter,
    pub(crate) steps_succeeded: Counter,
    pub(crate) steps_failed: Counter,
    pub(crate) step_seconds: Buckets,
    pub(crate) leases_lost: Counter,
    pub(crate) rejoins: Counter,
}

impl Default for Counters {
    fn default() -> Counters {
        let zero = Counter::default;
        Counters {
            claims: zero(),
            runs_started: zero(),
            runs_succeeded: zero(),
            runs_failed: zero(),
            runs_held: zero(),
            runs_taken: zero(),
            runs_parked: zero(),
            runs_released: zero(),
            runs_retried: zero(),
            replays: zero(),
            recoveries: zero(),
            given_up: zero(),
            step_attempts: zero(),
            steps_succeeded: zero(),
            steps_failed: zero(),
            step_seconds: Buckets::of_times(),
            leases_lost: zero(),
            rejoins: zero(),
        }
    }
}

impl Counters {
    /// The metrics from all counters and the given values.
    pub(crate) fn read(&self, executor: String, journal: JournalCounts, resident_runs: usize) -> Metrics {
        Metrics {
            executor,
            journal,
            claims: self.claims.read(),
            runs_started: self.runs_started.read(),
            runs_succeeded: self.runs_succeeded.read(),
            runs_failed: self.runs_failed.read(),
            runs_held: self.runs_held.read(),
            runs_taken: self.runs_taken.read(),
            runs_parked: self.runs_parked.read(),
            runs_released: self.runs_released.read(),
            runs_retried: self.runs_retried.read(),
            replays: self.replays.read(),
            recoveries: self.recoveries.read(),
            given_up: self.given_up.read(),
            step_attempts: self.step_attempts.read(),
            steps_succeeded: self.steps_succeeded.read(),
            steps_failed: self.steps_failed.read(),
            step_seconds: self.step_seconds.read(),
            resident_runs: resident_runs as u64,
            heartbeat_age: None,
            leases_lost: self.leases_lost.read(),
            rejoins: self.rejoins.read(),
            queues: Vec::new(),
            trouble: Vec::new(),
        }
    }
}

impl Metrics {
    /// The metrics in the text format of Prometheus, version 0.0.4. Serve it as `text/plain; version=0.0.4`.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let text = onward.metrics().to_prometheus();
    /// assert!(text.contains("# TYPE onward_commits_total counter\n"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = Text::default();
        text.family("onward_executor_info", "gauge", "The current id of the executor.");
        text.sample("onward_executor_info", &[("executor", &self.executor)], 1.0);
        self.write_journal(&mut text);
        self.write_runs(&mut text);
        self.write_steps(&mut text);
        self.write_queues(&mut text);
        if let Some(age) = self.heartbeat_age {
            let help = "The age of the last heartbeat that was acknowledged.";
            text.gauge("onward_heartbeat_age_seconds", help, age.as_secs_f64());
        }
        text.counter("onward_leases_lost_total", "How often this executor was declared dead.", self.leases_lost);
        text.counter("onward_rejoins_total", "How often it joined again after that.", self.rejoins);
        self.write_trouble(&mut text);
        text.0
    }

    fn write_trouble(&self, text: &mut Text) {
        let name = "onward_trouble_since_seconds";
        text.family(name, "gauge", "Since when a background task fails, as a Unix time. No sample: all tasks work.");
        let mut tasks: Vec<&str> = Vec::new();
        for trouble in &self.trouble {
            // The oldest entry of each task comes first.
            if !tasks.contains(&trouble.task.as_str()) {
                tasks.push(&trouble.task);
                let since = trouble.since.as_millisecond() as f64 / 1000.0;
                text.sample(name, &[("task", &trouble.task)], since);
            }
        }
    }

    fn write_journal(&self, text: &mut Text) {
        let it = &self.journal;
        text.counter("onward_commits_total", "Committed batches.", it.commits);
        text.counter("onward_changes_total", "Changes in committed batches.", it.changes);
        let help = "Commits that failed and were retried.";
        text.counter("onward_commit_failures_total", help, it.failures);
        text.histogram("onward_batch_changes", "Changes in a batch.", &it.batch_changes);
        text.histogram("onward_commit_seconds", "Duration of a commit.", &it.commit_seconds);
        let help = "Time from submission to durability of the oldest change of a batch.";
        text.histogram("onward_durable_seconds", help, &it.durable_seconds);
        text.gauge(
            "onward_journal_queue_bytes",
            "Size of the changes that wait for their commit.",
            it.queued_bytes as f64,
        );
        let help = "Age of the oldest change that waits for its commit.";
        text.gauge("onward_journal_lag_seconds", help, it.lag.as_secs_f64());
    }

    fn write_runs(&self, text: &mut Text) {
        text.counter("onward_claims_total", "Runs that this executor claimed.", self.claims);
        text.counter("onward_runs_started_total", "Runs that began here.", self.runs_started);
        let finished = "onward_runs_finished_total";
        text.family(finished, "counter", "Runs that ended here, were held, or were taken from this executor.");
        for (outcome, count) in [
            ("succeeded", self.runs_succeeded),
            ("failed", self.runs_failed),
            ("held", self.runs_held),
            ("taken", self.runs_taken),
        ] {
            text.sample(finished, &[("outcome", outcome)], count as f64);
        }
        text.counter("onward_runs_parked_total", "Runs that left memory because they only waited.", self.runs_parked);
        text.counter("onward_runs_released_total", "Runs released in a shutdown.", self.runs_released);
        text.counter("onward_runs_retried_total", "Attempts of runs that failed and are repeated.", self.runs_retried);
        text.counter("onward_replays_total", "Runs that came back into memory and were replayed.", self.replays);
        text.counter("onward_recoveries_total", "Runs of dead executors that were released.", self.recoveries);
        text.counter("onward_runs_given_up_total", "Runs that crashed too often.", self.given_up);
        text.gauge("onward_resident_runs", "Runs in memory.", self.resident_runs as f64);
    }

    fn write_steps(&self, text: &mut Text) {
        text.counter("onward_step_attempts_total", "Attempts of steps that began.", self.step_attempts);
        text.family("onward_steps_total", "counter", "Steps that ended.");
        for (outcome, count) in [("succeeded", self.steps_succeeded), ("failed", self.steps_failed)] {
            text.sample("onward_steps_total", &[("outcome", outcome)], count as f64);
        }
        text.histogram("onward_step_seconds", "Duration of an attempt of a step.", &self.step_seconds);
    }

    fn write_queues(&self, text: &mut Text) {
        for (name, help, read) in OF_QUEUES.into_iter().filter(|_| !self.queues.is_empty()) {
            text.family(name, "gauge", help);
            for queue in &self.queues {
                text.sample(name, &[("queue", &queue.name)], read(queue));
            }
        }
    }
}

type Read = fn(&QueueMetrics) -> f64;

/// The metrics of each queue.
const OF_QUEUES: [(&str, &str, Read); 4] = [
    ("onward_queue_delayed_runs", "Delayed runs that will enter the queue later.", |queue| queue.delayed as f64),
    ("onward_queue_waiting_runs", "Runs that wait in the queue.", |queue| queue.waiting as f64),
    ("onward_queue_running_runs", "Runs of the queue that have started and not ended, parked or not.", |queue| {
        queue.running as f64
    }),
    ("onward_queue_oldest_seconds", "Age of the run that has waited longest, since its creation.", |queue| {
        queue.oldest_seconds
    }),
];

/// Metrics as text, family by family.
#[derive(Default)]
struct Text(String);

impl Text {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value as f64);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut upto = 0;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            upto += count;
            self.sample(&bucket, &[("le", &bound.to_string())], upto as f64);
        }
        let count = histogram.count() as f64;
        self.sample(&bucket, &[("le", "+Inf")], count);
        self.sample(&format!("{name}_sum"), &[], histogram.sum);
        self.sample(&format!("{name}_count"), &[], count);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("writing to a string cannot fail");
    }
}

/// The value of a label, with backslashes, quotes and line breaks escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_label_cannot_break_out_of_its_quotes() {
        let metrics = Metrics { executor: "a\"b\\c\nd".to_owned(), ..Metrics::default() };
        let text = metrics.to_prometheus();
        assert!(text.contains("onward_executor_info{executor=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let mut text = Text::default();
        let histogram = Histogram { bounds: vec![0.001, 1.0], counts: vec![2, 3, 1], sum: 7.5 };
        text.histogram("h_seconds", "What it took.", &histogram);
        let lines: Vec<&str> = text.0.lines().collect();
        assert_eq!(
            lines,
            [
                "# HELP h_seconds What it took.",
                "# TYPE h_seconds histogram",
                "h_seconds_bucket{le=\"0.001\"} 2",
                "h_seconds_bucket{le=\"1\"} 5",
                "h_seconds_bucket{le=\"+Inf\"} 6",
                "h_seconds_sum 7.5",
                "h_seconds_count 6",
            ]
        );
    }
}
