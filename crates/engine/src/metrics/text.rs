//! The metrics in the text format of Prometheus, family by family.

use std::fmt::Write;

use onward_store::Histogram;

use super::{Metrics, QueueMetrics, StepMetrics, WorkflowMetrics};

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
        for it in &self.workflows {
            for (outcome, count) in [
                ("succeeded", it.runs_succeeded),
                ("failed", it.runs_failed),
                ("held", it.runs_held),
                ("taken", it.runs_taken),
            ] {
                text.sample(finished, &[("workflow", &it.name), ("outcome", outcome)], count as f64);
            }
        }
        let seconds = "onward_run_seconds";
        text.family(
            seconds,
            "histogram",
            "Time from the start of a run to its end, with everything that it waited for.",
        );
        for it in &self.workflows {
            text.buckets(seconds, &[("workflow", &it.name)], &it.run_seconds);
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
        let begun = "onward_step_attempts_started_total";
        text.counter(begun, "Attempts of steps that began.", self.step_attempts);
        text.family(STEPS, "counter", "Steps that ended, after all their attempts.");
        for (workflow, step) in self.steps() {
            for (outcome, count) in [("succeeded", step.succeeded), ("failed", step.failed)] {
                text.sample(STEPS, &of_step(workflow, step, outcome), count as f64);
            }
        }
        text.family(ATTEMPTS, "counter", "Attempts of steps that ended.");
        for (workflow, step, outcome, seconds) in self.attempts() {
            text.sample(ATTEMPTS, &of_step(workflow, step, outcome), seconds.count() as f64);
        }
        text.family(STEP_SECONDS, "histogram", "Duration of an attempt of a step.");
        for (workflow, step, outcome, seconds) in self.attempts().filter(|(.., seconds)| seconds.count() > 0) {
            text.buckets(STEP_SECONDS, &of_step(workflow, step, outcome), seconds);
        }
        let help = "Bodies of steps that run now.";
        text.gauge("onward_steps_running", help, self.steps_running as f64);
        let help = "Steps that wait to begin because as many bodies run as may.";
        text.gauge("onward_steps_waiting", help, self.steps_waiting as f64);
    }

    fn steps(&self) -> impl Iterator<Item = (&WorkflowMetrics, &StepMetrics)> {
        self.workflows.iter().flat_map(|workflow| workflow.steps.iter().map(move |step| (workflow, step)))
    }

    fn attempts(&self) -> impl Iterator<Item = (&WorkflowMetrics, &StepMetrics, &'static str, &Histogram)> {
        self.steps().flat_map(|(workflow, step)| {
            [("succeeded", &step.attempts_succeeded), ("failed", &step.attempts_failed)]
                .map(|(outcome, seconds)| (workflow, step, outcome, seconds))
        })
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

const STEPS: &str = "onward_steps_total";
const ATTEMPTS: &str = "onward_step_attempts_total";
const STEP_SECONDS: &str = "onward_step_seconds";

fn of_step<'a>(workflow: &'a WorkflowMetrics, step: &'a StepMetrics, outcome: &'a str) -> [(&'static str, &'a str); 3] {
    [("workflow", &workflow.name), ("step", &step.name), ("outcome", outcome)]
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
        self.buckets(name, &[], histogram);
    }

    /// The samples of one histogram of a family.
    fn buckets(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut upto = 0;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            upto += count;
            self.sample(&bucket, &[labels, &[("le", bound.to_string().as_str())][..]].concat(), upto as f64);
        }
        let count = histogram.count() as f64;
        self.sample(&bucket, &[labels, &[("le", "+Inf")][..]].concat(), count);
        self.sample(&format!("{name}_sum"), labels, histogram.sum);
        self.sample(&format!("{name}_count"), labels, count);
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
