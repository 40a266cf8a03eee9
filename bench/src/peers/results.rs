//! What was measured, as numbers: medians of the rounds with the least and the most, and how many times as fast Onward is.

use std::fmt;

use onward_contest::{Done, Job};

use super::child::Measured;
use super::durability::Durability;
use super::machine::Versions;
use super::page::figures;
use super::subject::{Keeps, Subject};
use crate::statistics::{median, percentile};

/// What came of one job of one engine in one round.
pub(crate) struct Outcome {
    pub(crate) subject: Subject,
    pub(crate) job: Job,
    pub(crate) round: u32,
    pub(crate) measured: Result<Measured, String>,
}

/// A number of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Steps in a second in job a, runs in a second in others.
    Rate,
    P50,
    P99,
    /// Bytes.
    Memory,
    /// Bytes for each run.
    Disk,
    /// Bytes for each step.
    Log,
}

/// The rounds of a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

#[derive(Default)]
pub(crate) struct Results {
    pub(crate) rounds: u32,
    pub(crate) jobs: Vec<Job>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) durability: Vec<(Subject, Result<Durability, String>)>,
    pub(crate) versions: Versions,
    pub(crate) minutes: f64,
}

impl Metric {
    /// What this number is in a round.
    fn of(self, measured: &Measured, job: Job) -> Option<f64> {
        let done = &measured.done;
        let takes = done.takes.len() as f64;
        let runs = if job == Job::A { takes } else { f64::from(done.count) * takes };
        let steps = if job == Job::A { f64::from(done.count) * takes } else { runs * f64::from(job.steps()) };
        match self {
            Metric::Rate => Some(f64::from(done.count) / median(done.takes.iter().map(|take| take.seconds))),
            Metric::P50 => Some(percentile(millis(done), 0.5)),
            Metric::P99 => Some(percentile(millis(done), 0.99)),
            Metric::Memory => Some(measured.readings.memory),
            Metric::Disk => Some(measured.readings.disk / runs),
            Metric::Log => measured.readings.log.map(|log| log / steps),
        }
    }

    /// Is more of it better?
    fn more_is_better(self) -> bool {
        self == Metric::Rate
    }
}

fn millis(done: &Done) -> impl Iterator<Item = f64> {
    done.takes.iter().flat_map(|take| take.millis.iter().copied())
}

impl Results {
    pub(crate) fn new(rounds: u32, jobs: Vec<Job>, subjects: Vec<Subject>) -> Results {
        Results { rounds, jobs, subjects, ..Results::default() }
    }

    /// A number of a subject, over all rounds in which it has one.
    pub(crate) fn spread(&self, subject: Subject, job: Job, metric: Metric) -> Option<Spread> {
        let values: Vec<f64> = self.values(subject, job, metric).map(|(_, value)| value).collect();
        let (least, most) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        Some(Spread { median: median(values), least, most })
    }

    fn values(&self, subject: Subject, job: Job, metric: Metric) -> impl Iterator<Item = (u32, f64)> {
        let its = move |outcome: &&Outcome| outcome.subject == subject && outcome.job == job;
        let value = move |outcome: &Outcome| Some((outcome.round, metric.of(outcome.measured.as_ref().ok()?, job)?));
        self.outcomes.iter().filter(its).filter_map(value)
    }

    /// How many times as good as a subject Onward is on this database: the median of the ratios within each round.
    pub(crate) fn ratio(&self, subject: Subject, job: Job, metric: Metric, keeps: Keeps) -> Option<f64> {
        let onward = Subject { engine: "onward", keeps };
        let theirs: Vec<(u32, f64)> = self.values(subject, job, metric).collect();
        let ratios = self.values(onward, job, metric).filter_map(|(round, ours)| {
            let (_, theirs) = theirs.iter().find(|(of, _)| *of == round)?;
            Some(if metric.more_is_better() { ours / theirs } else { theirs / ours })
        });
        let ratio = median(ratios);
        ratio.is_finite().then_some(ratio)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.subject)?;
        match &self.measured {
            Err(error) => write!(f, "failed: {error}"),
            Ok(measured) => {
                let (metric, unit) = match self.job {
                    Job::A => (Metric::Rate, "steps/s"),
                    Job::D | Job::Dq => (Metric::P50, "ms"),
                    _ => (Metric::Rate, "runs/s"),
                };
                write!(f, "{} {unit}", figures(metric.of(measured, self.job).unwrap_or(f64::NAN)))
            }
        }
    }
}
