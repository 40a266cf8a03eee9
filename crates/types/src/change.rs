//! The feed of changes: what a follower is told, and where it goes on.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ExecutorId, RunId, RunKey, Status, Timestamp};

/// A place in the feed of changes, as text without a meaning for anybody but the database that it came from. A follower that
/// keeps it goes on from there after a restart.
///
/// ```
/// use onward_types::ChangeCursor;
/// let cursor: ChangeCursor = "MS4y".into();
/// assert_eq!(cursor.as_str(), "MS4y");
/// assert_eq!(serde_json::to_string(&cursor).unwrap(), "\"MS4y\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeCursor(Arc<str>);

impl ChangeCursor {
    /// The cursor as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ChangeCursor {
    fn from(text: &str) -> ChangeCursor {
        ChangeCursor(text.into())
    }
}

impl From<String> for ChangeCursor {
    fn from(text: String) -> ChangeCursor {
        ChangeCursor(text.into())
    }
}

impl fmt::Display for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One item of the feed of changes. In JSON its `type` is `snapshot`, `run` or `current`.
///
/// ```
/// use onward_types::Change;
/// let current: Change = serde_json::from_str(r#"{"type":"current","cursor":"MS4y"}"#).unwrap();
/// assert_eq!(current.cursor().as_str(), "MS4y");
/// assert!(current.run().is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A snapshot begins: every matching run follows once. It comes first, and again if changes were missed, because the follower
    /// was away for too long or the database was replaced. A run that is not named between this item and the next
    /// [`Current`](Change::Current) does not exist or does not match: forget what is kept of earlier runs.
    Snapshot {
        /// The place of this item.
        cursor: ChangeCursor,
    },
    /// This run changed, or is a part of the snapshot.
    Run(ChangedRun),
    /// The follower has caught up: it knows the state of every matching run. What follows are changes as they happen. It comes again
    /// after every time in which the follower was behind, and now and then with a newer cursor.
    Current {
        /// The place of this item.
        cursor: ChangeCursor,
    },
}

impl Change {
    /// The place to go on from after this item.
    #[must_use]
    pub fn cursor(&self) -> &ChangeCursor {
        match self {
            Change::Snapshot { cursor } | Change::Current { cursor } => cursor,
            Change::Run(run) => &run.cursor,
        }
    }

    /// The run that changed, if the item is about one.
    #[must_use]
    pub fn run(&self) -> Option<&ChangedRun> {
        if let Change::Run(run) = self { Some(run) } else { None }
    }
}

/// A run that changed. Several changes of a run may be reported as one. The fields describe the run when the change was reported,
/// which is never before the change itself: after the last change of a run, a follower has seen its last state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangedRun {
    /// The place of this item.
    pub cursor: ChangeCursor,
    /// The id of the run.
    pub run: RunId,
    /// The key of the run. A later run with the same id has another one.
    pub key: RunKey,
    /// The workflow.
    pub workflow: String,
    /// The version of the workflow; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The state.
    pub status: Status,
    /// The executor that owns the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<ExecutorId>,
    /// When the row of the run was last written.
    #[serde(with = "crate::wire::instant")]
    pub updated_at: Timestamp,
    /// Whether the run matches the filter now. A run that no longer matches is reported, so that a follower can drop it.
    pub matches: bool,
    /// Whether the run was deleted. This is its last change.
    pub deleted: bool,
}

impl ChangedRun {
    /// A change of a run that exists and matches.
    #[must_use]
    pub fn new(
        cursor: ChangeCursor,
        (key, run): (RunKey, RunId),
        (workflow, version): (String, Option<String>),
        status: Status,
        updated_at: Timestamp,
    ) -> ChangedRun {
        let (executor, matches, deleted) = (None, true, false);
        ChangedRun { cursor, run, key, workflow, version, status, executor, updated_at, matches, deleted }
    }
}
