//! What an executor currently fails to do, by task and duty: the success of one says nothing about the others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use onward_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// A failure of a background task of an executor. Made by [`Onward::trouble`](crate::Onward::trouble).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trouble {
    /// The task: `journal`, `heartbeat`, `claimer` and so on. `executor` means that the whole executor has stopped.
    pub task: String,
    /// When the failure began.
    #[serde(with = "onward_types::wire::instant")]
    pub since: Timestamp,
    /// The most recent error.
    pub message: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (since {})", self.task, self.message, self.since)
    }
}

/// A task and one of its duties: a failed duty is not repaired by the success of another one.
type Doing = (&'static str, Cow<'static, str>);

/// All current failures of one executor.
#[derive(Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<Doing, Trouble>>);

impl Troubles {
    /// A task failed to do one of its duties.
    pub(crate) fn note(&self, task: &'static str, what: Cow<'static, str>, now: Timestamp, message: String) {
        let mut all = self.lock();
        if let Some(noted) = all.get_mut(&(task, what.clone())) {
            noted.message = message;
            return;
        }
        tracing::warn!(task, doing = %what, %message, "a background task fails and is retrying");
        all.insert((task, what), Trouble { task: task.to_owned(), since: now, message });
    }

    /// A task did one of its duties, or no longer has it.
    pub(crate) fn clear(&self, task: &'static str, what: Cow<'static, str>) {
        let mut all = self.lock();
        // Nearly always empty; then there is nothing to look up.
        if !all.is_empty()
            && let Some(over) = all.remove(&(task, what))
        {
            tracing::info!(task, since = %over.since, message = %over.message, "a background task works again");
        }
    }

    /// A task has only these duties left.
    pub(crate) fn keep(&self, task: &'static str, has: impl Fn(&str) -> bool) {
        self.lock().retain(|(of, what), _| *of != task || has(what));
    }

    /// The current failures, oldest first.
    pub(crate) fn all(&self) -> Vec<Trouble> {
        let mut all: Vec<Trouble> = self.lock().values().cloned().collect();
        all.sort_by_key(|trouble| trouble.since);
        all
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Doing, Trouble>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_that_succeeds_says_nothing_about_another_that_fails() {
        let troubles = Troubles::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        troubles.note("scheduler", "fire".into(), at(1), "a row is locked".to_owned());
        troubles.note("claimer", "claim".into(), at(2), "the disk is full".to_owned());
        troubles.clear("claimer", "look".into());
        troubles.clear("postman", "read".into());
        assert_eq!(troubles.all().len(), 2);
        troubles.note("scheduler", "fire".into(), at(9), "a row is locked still".to_owned());
        troubles.clear("claimer", "claim".into());
        let left = troubles.all();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].task.as_str(), left[0].since), ("scheduler", at(1)), "since the first failure");
        assert_eq!(left[0].message, "a row is locked still");
    }
}
