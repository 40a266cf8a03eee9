//! Queues: their limits, their state, and what keeps a run waiting in one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::millis;
use crate::{RunId, Steering, Timestamp};

/// A limit on starts: at most `count` in any period of length `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The number of starts.
    pub count: u32,
    /// The length of the period, in whole milliseconds. In JSON: `period_ms`.
    #[serde(rename = "period_ms", with = "millis")]
    pub period: Duration,
}

/// The limits of a queue. `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueLimits {
    /// The maximum number of runs that run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The maximum number of them on one executor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_executor: Option<u32>,
    /// The maximum rate of starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The maximum number of runs of one partition that run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_concurrency: Option<u32>,
    /// The maximum rate of starts of one partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_rate: Option<Rate>,
}

impl QueueLimits {
    /// Whether there is any limit.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.has_slots() || self.has_rate() || self.has_partitions()
    }

    /// Whether any limit counts running runs.
    #[doc(hidden)]
    #[must_use]
    pub const fn has_slots(&self) -> bool {
        self.concurrency.is_some() || self.per_executor.is_some() || self.partition_concurrency.is_some()
    }

    /// Whether any limit counts starts.
    #[doc(hidden)]
    #[must_use]
    pub const fn has_rate(&self) -> bool {
        self.rate.is_some() || self.partition_rate.is_some()
    }

    /// Whether partitions have limits of their own.
    #[doc(hidden)]
    #[must_use]
    pub const fn has_partitions(&self) -> bool {
        self.partition_concurrency.is_some() || self.partition_rate.is_some()
    }

    /// How long a start must be remembered: the longest period of a rate.
    #[doc(hidden)]
    #[must_use]
    pub fn longest_period(&self) -> Option<Duration> {
        self.rate.into_iter().chain(self.partition_rate).map(|rate| rate.period).max()
    }
}

/// One of the limits of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueLimit {
    /// [`QueueLimits::concurrency`].
    Concurrency,
    /// [`QueueLimits::per_executor`].
    PerExecutor,
    /// [`QueueLimits::rate`].
    Rate,
    /// [`QueueLimits::partition_concurrency`].
    PartitionConcurrency,
    /// [`QueueLimits::partition_rate`].
    PartitionRate,
}

/// The limits of a queue that an operator set in place of those that code declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueOverride {
    /// The limits that the operator set. Their values are in [`QueueRecord::limits`]; one that has no value there is lifted.
    pub limits: Vec<QueueLimit>,
    /// Who set one of them last: the name that the client gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    #[serde(with = "crate::wire::instant")]
    pub at: Timestamp,
}

impl QueueOverride {
    /// An override of these limits.
    #[doc(hidden)]
    #[must_use]
    pub fn new(
        limits: Vec<QueueLimit>,
        (by, reason): (Option<String>, Option<String>),
        at: Timestamp,
    ) -> QueueOverride {
        QueueOverride { limits, by, reason, at }
    }
}

/// The sentence: `overridden by ann: "the relay is slow"`.
impl fmt::Display for QueueOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("overridden")?;
        if let Some(by) = &self.by {
            write!(f, " by {by}")?;
        }
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": \"{reason}\""))
    }
}

/// The settings and the current state of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Its name.
    pub name: String,
    /// The limits that are in force.
    pub limits: QueueLimits,
    /// The limits that code declares. They are in force, except for those that are overridden.
    #[serde(default)]
    pub declared: QueueLimits,
    /// Which limits an operator has overridden, and who, why and when. `None` if none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<QueueOverride>,
    /// Whether it is paused: running runs continue, and no new ones start.
    pub paused: bool,
    /// Who paused or resumed it last, why and when. `None` if nobody has, or not since Onward records it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steered: Option<Steering>,
    /// When it was created.
    #[serde(with = "crate::wire::instant")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "crate::wire::instant")]
    pub updated_at: Timestamp,
    /// The number of delayed runs, which will enter it later.
    pub delayed: u64,
    /// The number of runs that wait in it.
    pub waiting: u64,
    /// The number of running runs: in memory, parked, or about to leave their executor.
    pub running: u64,
    /// When the oldest waiting run was created.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

/// What blocks a run in its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blocked {
    /// The queue does not exist.
    NoQueue,
    /// The queue is paused.
    Paused {
        /// Who paused it and why, in a sentence, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// The queue has reached its concurrency limit.
    Full {
        /// The number of running runs.
        running: u32,
        /// The limit.
        limit: u32,
    },
    /// The run's partition has reached its concurrency limit.
    Partition {
        /// The number of running runs of the partition.
        running: u32,
        /// The limit.
        limit: u32,
    },
    /// The rate limit of the queue has been reached.
    Rate {
        /// The limit.
        #[serde(flatten)]
        rate: Rate,
        /// When the next run may start.
        #[serde(with = "crate::wire::instant")]
        next: Timestamp,
    },
    /// The rate limit of the run's partition has been reached.
    PartitionRate {
        /// The limit.
        #[serde(flatten)]
        rate: Rate,
        /// When the next run may start.
        #[serde(with = "crate::wire::instant")]
        next: Timestamp,
    },
    /// Every executor has reached the limit per executor.
    Executors {
        /// The limit.
        limit: u32,
    },
}

/// A run's wait in its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueWait {
    /// The queue.
    pub queue: String,
    /// The partition key (concurrency key) of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// What blocks it; `None` if it only waits for a free executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// The runs that hold the slots, oldest first, at most 10. Empty in lists, and where no number of running runs blocks it.
    #[serde(default)]
    pub holders: Vec<RunId>,
    /// How many more runs hold slots.
    #[serde(default)]
    pub more_holders: u32,
    /// Its position in the queue, from 1. `None` in lists, and beyond 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

impl fmt::Display for QueueWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueWait { queue, partition, .. } = self;
        let key = partition.as_deref().unwrap_or_default();
        match &self.blocked {
            None => f.write_str("waits for a free executor"),
            Some(Blocked::NoQueue) => write!(f, "there is no queue `{queue}`; create it to start the run"),
            Some(Blocked::Paused { said }) => {
                write!(f, "queue `{queue}` is {}", said.as_deref().unwrap_or("paused"))
            }
            Some(Blocked::Full { running, limit }) => {
                write!(f, "queue `{queue}` is full ({running} of {limit} running)")
            }
            Some(Blocked::Partition { running, limit }) => {
                write!(f, "partition `{key}` is full ({running} of {limit} running)")
            }
            Some(Blocked::Rate { next, .. }) => write!(f, "rate limit reached, next start at {next}"),
            Some(Blocked::PartitionRate { next, .. }) => {
                write!(f, "partition `{key}` has reached its rate limit, next start at {next}")
            }
            Some(Blocked::Executors { limit }) => {
                write!(f, "every executor that has its workflow is full ({limit} of {limit} runs of queue `{queue}`)")
            }
        }
    }
}
