//! The results of managing runs: one run, or all that match a filter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{RunId, Status};

/// The result of managing a run, for example cancelling it: the state it was found in, and how many runs changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Steered {
    /// The state of the run before the change.
    pub found: Status,
    /// How many runs changed: this one and those that changed with it. 0 if it was already in the requested state or has ended.
    pub runs: u64,
    /// How many sleeps were ended; 0 unless that was requested.
    #[serde(default)]
    pub sleeps: u64,
}

impl Steered {
    /// The result when `runs` runs changed and the given one was in the state `found`.
    #[must_use]
    pub fn new(found: Status, runs: u64) -> Steered {
        Steered { found, runs, sleeps: 0 }
    }

    /// The result when `sleeps` sleeps of a run ended.
    #[doc(hidden)]
    #[must_use]
    pub fn woken(found: Status, sleeps: u64) -> Steered {
        Steered { found, runs: u64::from(sleeps > 0), sleeps }
    }

    /// Whether anything changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.runs > 0
    }
}

/// The result of an action on many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BulkResult {
    /// How many runs matched the filter.
    pub matched: u64,
    /// How many of them were changed or forked.
    pub changed: u64,
    /// How many of them refused the action because of their state.
    pub refused: u64,
    /// How many sleeps were ended.
    pub sleeps: u64,
    /// How many runs changed, those that did not match but changed with one that did included.
    #[serde(default)]
    pub runs: u64,
    /// Why runs refused the action, and how many for each reason.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
}

/// What an action on many runs would do now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BulkPreview {
    /// How many runs match the filter.
    pub matched: u64,
    /// How many of them would be changed or forked.
    pub would_change: u64,
    /// How many of them would stay as they are, because they are already in the requested state or have ended.
    pub unchanged: u64,
    /// How many of them would refuse the action.
    pub refused: u64,
    /// How many sleeps would be ended.
    pub sleeps: u64,
    /// How many of the matching runs are in each state. States without runs are left out.
    pub by_status: BTreeMap<Status, u64>,
    /// Why runs would refuse the action, and how many for each reason.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
}

impl BulkPreview {
    /// Add what another part of the call would do.
    #[doc(hidden)]
    pub fn add(&mut self, other: BulkPreview) {
        self.matched += other.matched;
        self.would_change += other.would_change;
        self.unchanged += other.unchanged;
        self.refused += other.refused;
        self.sleeps += other.sleeps;
        for (status, runs) in other.by_status {
            *self.by_status.entry(status).or_default() += runs;
        }
        other.refusals.into_iter().for_each(|refusal| refusal.count_in(&mut self.refusals));
    }
}

/// Why some of many runs refused an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The code of the error, as for one run.
    pub code: String,
    /// The state of these runs.
    pub status: Status,
    /// What is in the way, and what to do.
    pub message: String,
    /// How many runs.
    pub runs: u64,
    /// One of them.
    pub example: RunId,
}

impl Refusal {
    /// One run refused.
    #[must_use]
    pub fn new(code: &str, status: Status, message: impl Into<String>, example: RunId) -> Refusal {
        Refusal { code: code.to_owned(), status, message: message.into(), runs: 1, example }
    }

    /// Count it among others, by code, state and reason.
    #[doc(hidden)]
    pub fn count_in(self, others: &mut Vec<Refusal>) {
        let same = |it: &&mut Refusal| (&it.code, it.status, &it.message) == (&self.code, self.status, &self.message);
        match others.iter_mut().find(same) {
            Some(other) => other.runs += self.runs,
            None => others.push(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_what_is_in_the_way() {
        let mut all = Vec::new();
        for (status, why) in
            [(Status::Failed, "it has ended"), (Status::Paused, "resume it"), (Status::Failed, "it has ended")]
        {
            Refusal::new("illegal_move", status, why, RunId::recorded("a".to_owned())).count_in(&mut all);
        }
        assert_eq!(
            all.iter().map(|it| (it.status, it.runs)).collect::<Vec<_>>(),
            [(Status::Failed, 2), (Status::Paused, 1)]
        );
    }
}
