//! The limits of a queue: those that code declares, those that an operator overrides, and what follows from both. No I/O.
//!
//! Several processes may declare different values of one limit, as during a deploy. The values are kept in the order in which they
//! were first declared, and the last one that a living executor declares is in force. So an old process that starts again does not
//! undo what a newer one declares, and after a rollback, when no newer one is left, the old value is in force again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onward_types::{Attribution, ExecutorId, QueueLimit, QueueLimits, QueueOverride, Rate, Timestamp};
use serde::{Deserialize, Serialize};

use super::queues::QueueChange;
use crate::driver::Row;
use crate::fault::Fault;

/// How many declared values of one limit are remembered.
const KNOWN_MAX: usize = 8;

const ALL: [QueueLimit; 5] = [
    QueueLimit::Concurrency,
    QueueLimit::PerExecutor,
    QueueLimit::Rate,
    QueueLimit::PartitionConcurrency,
    QueueLimit::PartitionRate,
];

/// The value of one limit. Without a count, there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// Of a rate, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
}

/// What is declared about one limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct OfLimit {
    /// The value that counts.
    now: Value,
    /// The values in the order in which they were first declared.
    known: Vec<Known>,
}

/// One declared value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    value: Value,
    /// The executors that declare it.
    holders: BTreeSet<ExecutorId>,
    /// A process without an executor declared it: nobody knows whether that process still runs.
    lasting: bool,
}

/// What an operator has set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Overridden {
    limits: BTreeMap<QueueLimit, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(with = "onward_types::wire::instant")]
    at: Timestamp,
}

/// Where the limits of a queue come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    declared: BTreeMap<QueueLimit, OfLimit>,
    overridden: Option<Overridden>,
}

impl Settings {
    /// Those of a row of `queues`, whose limits are these.
    pub(super) fn of_row(row: &Row, limits: &QueueLimits) -> Result<Settings, Fault> {
        let declared = match row.opt_text("declared")? {
            Some(text) => read(&text, "declared")?,
            None => declared_before(limits),
        };
        let overridden = row.opt_text("overridden")?.map(|text| read(&text, "overridden")).transpose()?;
        Ok(Settings { declared, overridden })
    }

    /// As they are written to a row: `declared` and `overridden`.
    pub(super) fn written(&self) -> Result<(String, Option<String>), Fault> {
        Ok((write(&self.declared)?, self.overridden.as_ref().map(write).transpose()?))
    }

    /// An executor declares these limits, or a process without one. `living` are the executors that were not declared dead.
    pub(super) fn declare(&mut self, change: &QueueChange, by: Option<&ExecutorId>, living: &BTreeSet<ExecutorId>) {
        for (limit, value) in given(change) {
            self.declared.entry(limit).or_default().declare(value, by, living);
        }
    }

    /// An operator sets these limits, whatever code declares.
    pub(super) fn override_with(&mut self, change: &QueueChange, who: &Attribution, at: Timestamp) {
        let new = given(change);
        if new.is_empty() {
            return;
        }
        let mut limits = self.overridden.take().map(|before| before.limits).unwrap_or_default();
        limits.extend(new);
        self.overridden = Some(Overridden { limits, by: who.by.clone(), reason: who.reason.clone(), at });
    }

    /// What code declares counts again.
    pub(super) fn clear_override(&mut self) {
        self.overridden = None;
    }

    /// The limits that code declares.
    pub(super) fn declared(&self) -> QueueLimits {
        let mut limits = QueueLimits::default();
        self.declared.iter().for_each(|(limit, of)| put(&mut limits, *limit, of.now));
        limits
    }

    /// The limits that are in force.
    pub(super) fn in_force(&self) -> QueueLimits {
        let mut limits = self.declared();
        let set = self.overridden.iter().flat_map(|it| &it.limits);
        set.for_each(|(limit, value)| put(&mut limits, *limit, *value));
        limits
    }

    /// The override as it is shown.
    pub(super) fn overridden(&self) -> Option<QueueOverride> {
        let Overridden { limits, by, reason, at } = self.overridden.clone()?;
        Some(QueueOverride::new(limits.into_keys().collect(), (by, reason), at))
    }
}

impl OfLimit {
    fn declare(&mut self, value: Value, by: Option<&ExecutorId>, living: &BTreeSet<ExecutorId>) {
        // An executor that declares another value than before has changed its mind, and its new value is the newest.
        let is_change = by.is_some_and(|by| self.known.iter().any(|it| it.value != value && it.holders.contains(by)));
        for known in &mut self.known {
            known.holders.retain(|holder| living.contains(holder) && Some(holder) != by);
        }
        let at = self.known.iter().position(|known| known.value == value);
        let mut known = match at {
            // Of processes without an executor, the last one counts.
            Some(at) if is_change || by.is_none() => self.known.remove(at),
            Some(at) => {
                self.known[at].holders.extend(by.cloned());
                return self.choose();
            }
            None => Known { value, holders: BTreeSet::new(), lasting: false },
        };
        known.holders.extend(by.cloned());
        known.lasting |= by.is_none();
        self.known.push(known);
        if self.known.len() > KNOWN_MAX {
            self.known.remove(0);
        }
        self.choose();
    }

    fn choose(&mut self) {
        if let Some(known) = self.known.iter().rfind(|known| known.lasting || !known.holders.is_empty()) {
            self.now = known.value;
        }
    }
}

/// The limits of a queue from before it was recorded who set them.
fn declared_before(limits: &QueueLimits) -> BTreeMap<QueueLimit, OfLimit> {
    let set = ALL.map(|limit| (limit, get(limits, limit))).into_iter().filter(|(_, value)| value.count.is_some());
    let known = |value| vec![Known { value, holders: BTreeSet::new(), lasting: true }];
    set.map(|(limit, now)| (limit, OfLimit { now, known: known(now) })).collect()
}

fn given(change: &QueueChange) -> Vec<(QueueLimit, Value)> {
    let of = |limits: QueueLimits, is_given: [bool; 5]| {
        ALL.into_iter()
            .zip(is_given)
            .filter(|(_, given)| *given)
            .map(|(limit, _)| (limit, get(&limits, limit)))
            .collect()
    };
    let QueueChange { concurrency, per_executor, rate, partition_concurrency, partition_rate } = *change;
    let limits = QueueLimits {
        concurrency: concurrency.flatten(),
        per_executor: per_executor.flatten(),
        rate: rate.flatten(),
        partition_concurrency: partition_concurrency.flatten(),
        partition_rate: partition_rate.flatten(),
    };
    let is_given = [
        concurrency.is_some(),
        per_executor.is_some(),
        rate.is_some(),
        partition_concurrency.is_some(),
        partition_rate.is_some(),
    ];
    of(limits, is_given)
}

fn get(limits: &QueueLimits, limit: QueueLimit) -> Value {
    let count = |count: Option<u32>| Value { count, period: None };
    let rate = |rate: Option<Rate>| {
        let period = |rate: Rate| u64::try_from(rate.period.as_micros()).unwrap_or(u64::MAX);
        Value { count: rate.map(|it| it.count), period: rate.map(period) }
    };
    match limit {
        QueueLimit::Concurrency => count(limits.concurrency),
        QueueLimit::PerExecutor => count(limits.per_executor),
        QueueLimit::Rate => rate(limits.rate),
        QueueLimit::PartitionConcurrency => count(limits.partition_concurrency),
        QueueLimit::PartitionRate => rate(limits.partition_rate),
        _ => Value::default(),
    }
}

fn put(limits: &mut QueueLimits, limit: QueueLimit, Value { count, period }: Value) {
    let rate = count.zip(period).map(|(count, period)| Rate { count, period: Duration::from_micros(period) });
    match limit {
        QueueLimit::Concurrency => limits.concurrency = count,
        QueueLimit::PerExecutor => limits.per_executor = count,
        QueueLimit::Rate => limits.rate = rate,
        QueueLimit::PartitionConcurrency => limits.partition_concurrency = count,
        QueueLimit::PartitionRate => limits.partition_rate = rate,
        _ => {}
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str, column: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::corrupt(format!("column `{column}` of `queues`: {error}")))
}

fn write(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::corrupt(format!("limits cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue without limits, and which executors live.
    #[derive(Default)]
    struct Fleet {
        settings: Settings,
        living: BTreeSet<ExecutorId>,
    }

    fn concurrency(most: u32) -> QueueChange {
        QueueChange { concurrency: Some(Some(most)), ..QueueChange::default() }
    }

    impl Fleet {
        /// This executor lives and declares a concurrency. Returns what is in force.
        fn declares(&mut self, executor: &str, most: u32) -> Option<u32> {
            let executor = ExecutorId::new(executor);
            self.living.insert(executor.clone());
            self.settings.declare(&concurrency(most), Some(&executor), &self.living);
            self.settings.in_force().concurrency
        }

        fn dies(&mut self, executor: &str) {
            self.living.remove(&ExecutorId::new(executor));
        }

        fn client_declares(&mut self, most: u32) -> Option<u32> {
            self.settings.declare(&concurrency(most), None, &self.living);
            self.settings.in_force().concurrency
        }
    }

    #[test]
    fn an_old_executor_that_starts_again_does_not_undo_what_a_newer_one_declares() {
        let mut fleet = Fleet::default();
        assert_eq!(fleet.declares("old-1", 5), Some(5));
        assert_eq!(fleet.declares("new-1", 10), Some(10));
        fleet.dies("old-1");
        assert_eq!(fleet.declares("old-2", 5), Some(10));
        // The new one starts again: its value is still the newer one.
        fleet.dies("new-1");
        assert_eq!(fleet.declares("new-2", 10), Some(10));
        assert_eq!(fleet.declares("old-2", 5), Some(10));
    }

    #[test]
    fn after_a_rollback_the_old_value_is_in_force_once_no_newer_executor_is_left() {
        let mut fleet = Fleet::default();
        fleet.declares("old-1", 5);
        fleet.dies("old-1");
        assert_eq!(fleet.declares("new-1", 10), Some(10));
        assert_eq!(fleet.declares("old-2", 5), Some(10), "a newer one lives");
        fleet.dies("new-1");
        assert_eq!(fleet.declares("old-2", 5), Some(5), "it declares again from time to time");
        // And forward again.
        assert_eq!(fleet.declares("new-2", 10), Some(10));
    }

    #[test]
    fn an_executor_that_changes_its_mind_is_followed() {
        let mut fleet = Fleet::default();
        for most in [1, 5, 1, 5] {
            assert_eq!(fleet.declares("one", most), Some(most));
        }
        assert_eq!(fleet.declares("two", 1), Some(5), "another one that begins with what is old is not");
    }

    #[test]
    fn of_processes_without_an_executor_the_last_one_counts() {
        let mut fleet = Fleet::default();
        assert_eq!([5, 10, 5].map(|most| fleet.client_declares(most)), [Some(5), Some(10), Some(5)]);
        assert_eq!(fleet.declares("one", 10), Some(5), "it is the older value");
        assert_eq!(fleet.declares("one", 7), Some(7));
        fleet.dies("one");
        assert_eq!(fleet.declares("two", 10), Some(5), "nobody declares 7 any more");
    }

    #[test]
    fn an_override_counts_whatever_is_declared_until_it_is_cleared() {
        let mut fleet = Fleet::default();
        fleet.declares("one", 5);
        let lifted = QueueChange { concurrency: Some(None), ..QueueChange::default() };
        fleet.settings.override_with(&lifted, &Attribution::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(fleet.declares("two", 6), None);
        assert_eq!(fleet.settings.overridden().unwrap().limits, [QueueLimit::Concurrency]);
        let (declared, overridden) = fleet.settings.written().unwrap();
        let read_back = Settings {
            declared: read(&declared, "declared").unwrap(),
            overridden: overridden.map(|text| read(&text, "overridden").unwrap()),
        };
        assert_eq!(read_back, fleet.settings);
        fleet.settings.clear_override();
        assert_eq!(fleet.settings.in_force().concurrency, Some(6));
    }

    #[test]
    fn limits_from_before_count_as_declared() {
        let rate = Rate { count: 3, period: Duration::from_secs(60) };
        let limits = QueueLimits { rate: Some(rate), ..QueueLimits::default() };
        let mut fleet = Fleet::default();
        fleet.settings.declared = declared_before(&limits);
        assert_eq!(fleet.declares("one", 5), Some(5));
        assert_eq!(fleet.settings.in_force(), QueueLimits { concurrency: Some(5), ..limits });
    }

    #[test]
    fn few_values_are_remembered() {
        let mut fleet = Fleet::default();
        for most in 1..100 {
            fleet.declares(&format!("executor-{most}"), most);
        }
        assert_eq!(fleet.settings.declared[&QueueLimit::Concurrency].known.len(), KNOWN_MAX);
    }
}
