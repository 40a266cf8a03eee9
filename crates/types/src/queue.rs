//! Queues: what limits them, how they stand, and what keeps a run in one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// So many starts, in any period of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many starts.
    pub count: u32,
    /// In how long. In JSON: milliseconds, as `period_ms`.
    #[serde(rename = "period_ms", with = "millis")]
    pub period: Duration,
}

/// A period in JSON: milliseconds, and their fractions only where there are some.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(period: &Duration, to: S) -> Result<S::Ok, S::Error> {
        match period.as_micros() {
            micros if micros % 1_000 == 0 => (micros / 1_000).serialize(to),
            _ => (period.as_secs_f64() * 1e3).serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)? / 1e3).map_err(de::Error::custom)
    }
}

/// What limits a queue. What is none does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueLimits {
    /// How many runs may run at once.
    pub concurrency: Option<u32>,
    /// How many of them one executor may have.
    pub per_executor: Option<u32>,
    /// How many may start in a period.
    pub rate: Option<Rate>,
    /// How many of one partition may run at once.
    pub partition_concurrency: Option<u32>,
    /// How many of one partition may start in a period.
    pub partition_rate: Option<Rate>,
}

impl QueueLimits {
    /// Whether there is any limit.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.has_slots() || self.has_rate() || self.has_partitions()
    }

    /// Whether it is counted how many run.
    #[must_use]
    pub const fn has_slots(&self) -> bool {
        self.concurrency.is_some() || self.per_executor.is_some() || self.partition_concurrency.is_some()
    }

    /// Whether starts are counted.
    #[must_use]
    pub const fn has_rate(&self) -> bool {
        self.rate.is_some() || self.partition_rate.is_some()
    }

    /// Whether partitions have limits of their own.
    #[must_use]
    pub const fn has_partitions(&self) -> bool {
        self.partition_concurrency.is_some() || self.partition_rate.is_some()
    }

    /// For how long a start is remembered.
    #[must_use]
    pub fn longest_period(&self) -> Option<Duration> {
        self.rate.into_iter().chain(self.partition_rate).map(|rate| rate.period).max()
    }
}

/// A queue as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// What limits it.
    pub limits: QueueLimits,
    /// Whether it is paused: what runs goes on, nothing new starts.
    pub paused: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How many runs will enter it later.
    pub delayed: u64,
    /// How many wait in it.
    pub waiting: u64,
    /// How many run: in memory, parked, or about to leave their executor.
    pub running: u64,
    /// When the run was created that has waited longest.
    pub oldest: Option<Timestamp>,
}

/// What keeps a run in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// There is no such queue.
    NoQueue {
        /// The name that was given.
        queue: String,
    },
    /// The queue is paused.
    Paused {
        /// Its name.
        queue: String,
    },
    /// As many run as may.
    Full {
        /// The queue.
        queue: String,
        /// How many run.
        running: u32,
        /// How many may.
        most: u32,
    },
    /// Every place of the executors is taken.
    Executors {
        /// The queue.
        queue: String,
        /// How many places each has.
        most: u32,
    },
    /// As many of its partition run as may.
    Partition {
        /// The partition.
        key: String,
        /// How many run.
        running: u32,
        /// How many may.
        most: u32,
    },
    /// As many were started as may be in a period.
    Rate {
        /// The partition, where it is its rate.
        key: Option<String>,
        /// When the next one may start.
        next: Timestamp,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::NoQueue { queue } => {
                write!(f, "there is no queue `{queue}`; create it with `client.queue(\"{queue}\").await`")
            }
            Held::Paused { queue } => write!(f, "queue `{queue}` is paused"),
            Held::Full { queue, running, most } => write!(f, "queue `{queue}` runs {running} of {most}"),
            Held::Executors { queue, most } => {
                write!(
                    f,
                    "every executor that has its workflow runs {most} of queue `{queue}`, and {most} are the most"
                )
            }
            Held::Partition { key, running, most } => write!(f, "key `{key}` {running} of {most}"),
            Held::Rate { key: Some(key), next } => write!(f, "rate of key `{key}`: next start at {next}"),
            Held::Rate { key: None, next } => write!(f, "rate: next start at {next}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_written_in_milliseconds() {
        for (period, json) in [(60_000_000, "60000"), (1, "0.001")] {
            let rate = Rate { count: 5, period: Duration::from_micros(period) };
            let written = format!(r#"{{"count":5,"period_ms":{json}}}"#);
            assert_eq!(serde_json::to_string(&rate).unwrap(), written);
            assert_eq!(serde_json::from_str::<Rate>(&written).unwrap(), rate);
        }
    }
}
