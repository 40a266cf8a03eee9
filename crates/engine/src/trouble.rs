//! What an executor currently fails to do, by task and duty: the success of one says nothing about the others.
//!
//! A database that cannot be reached makes nearly every task fail with the same error. So failures that began with the same error
//! belong together: the log says when the first one begins and when the last one ends.

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

/// The end of all failures with one error.
#[derive(Debug, PartialEq)]
pub(crate) struct Over {
    /// The last task that failed with it, and since when.
    pub(crate) task: String,
    pub(crate) since: Timestamp,
    pub(crate) cause: String,
}

/// All current failures of one executor.
#[derive(Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<Doing, Failure>>);

struct Failure {
    trouble: Trouble,
    /// The first error, without the statement that met it: by this, failures belong together.
    cause: String,
}

impl Troubles {
    /// A task failed to do one of its duties. Returns whether nothing fails with this error yet.
    pub(crate) fn note(&self, task: &'static str, what: Cow<'static, str>, now: Timestamp, message: &str) -> bool {
        let mut all = self.lock();
        if let Some(noted) = all.get_mut(&(task, what.clone())) {
            message.clone_into(&mut noted.trouble.message);
            return false;
        }
        let cause = cause_of(message);
        let is_new = !is_a_cause(&all, cause);
        let trouble = Trouble { task: task.to_owned(), since: now, message: message.to_owned() };
        all.insert((task, what), Failure { trouble, cause: cause.to_owned() });
        is_new
    }

    /// A task did one of its duties, or no longer has it. Returns what is over, if nothing fails with its first error any more.
    pub(crate) fn clear(&self, task: &'static str, what: Cow<'static, str>) -> Option<Over> {
        let mut all = self.lock();
        // Nearly always empty; then there is nothing to look up.
        if all.is_empty() {
            return None;
        }
        let failure = all.remove(&(task, what))?;
        last_of(&all, failure)
    }

    /// A task has only these duties left. Returns what is over, as [`clear`](Troubles::clear) does.
    pub(crate) fn keep(&self, task: &'static str, has: impl Fn(&str) -> bool) -> Vec<Over> {
        let mut all = self.lock();
        let gone: Vec<Doing> = all.keys().filter(|(of, what)| *of == task && !has(what)).cloned().collect();
        let mut over = Vec::new();
        for doing in gone {
            over.extend(all.remove(&doing).and_then(|failure| last_of(&all, failure)));
        }
        over
    }

    /// The current failures, oldest first.
    pub(crate) fn all(&self) -> Vec<Trouble> {
        let mut all: Vec<Trouble> = self.lock().values().map(|failure| failure.trouble.clone()).collect();
        all.sort_by_key(|trouble| trouble.since);
        all
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Doing, Failure>> {
        lock(&self.0)
    }
}

fn is_a_cause(all: &BTreeMap<Doing, Failure>, message: &str) -> bool {
    all.values().any(|failure| failure.cause == message)
}

/// An error without the statement that met it: `the disk is full (in runs/claim)`.
fn cause_of(message: &str) -> &str {
    message.rsplit_once(" (in ").filter(|(_, end)| end.ends_with(')')).map_or(message, |(cause, _)| cause)
}

fn last_of(left: &BTreeMap<Doing, Failure>, Failure { trouble, cause }: Failure) -> Option<Over> {
    (!is_a_cause(left, &cause)).then_some(Over { task: trouble.task, since: trouble.since, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_that_succeeds_says_nothing_about_another_that_fails() {
        let troubles = Troubles::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        troubles.note("scheduler", "fire".into(), at(1), "a row is locked");
        troubles.note("claimer", "claim".into(), at(2), "the disk is full");
        troubles.clear("claimer", "look".into());
        troubles.clear("postman", "read".into());
        assert_eq!(troubles.all().len(), 2);
        troubles.note("scheduler", "fire".into(), at(9), "a row is locked still");
        troubles.clear("claimer", "claim".into());
        let left = troubles.all();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].task.as_str(), left[0].since), ("scheduler", at(1)), "since the first failure");
        assert_eq!(left[0].message, "a row is locked still");
    }

    #[test]
    fn an_error_that_many_tasks_have_is_logged_once_when_it_begins_and_once_when_it_ends() {
        let troubles = Troubles::default();
        let note =
            |task, what: &'static str, message: &str| troubles.note(task, what.into(), Timestamp::UNIX_EPOCH, message);
        assert!(note("claimer", "look", "nobody answers (in runs/waiting)"));
        assert!(!note("canceller", "look", "nobody answers (in runs/overdue)"));
        assert!(!note("claimer", "look", "nobody answers still"), "a retry is not new");
        assert!(note("retention", "delete", "a row is locked"), "another error is");
        assert_eq!(troubles.clear("claimer", "look".into()), None, "the canceller still fails");
        assert_eq!(troubles.clear("claimer", "look".into()), None, "it is over already");
        let over = troubles.clear("canceller", "look".into()).unwrap();
        assert_eq!(over.cause, "nobody answers");
        assert_eq!(troubles.keep("retention", |_| false).len(), 1);
        assert!(note("claimer", "look", "nobody answers"), "and then it begins again");
    }
}
