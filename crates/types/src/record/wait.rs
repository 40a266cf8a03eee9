//! What a run waits for.

use serde::{Deserialize, Serialize};

use crate::{RunId, RunKey, Timestamp};

/// A durable call that waits, and what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The position of the call that waits.
    pub position: u32,
    /// What it waits for.
    #[serde(rename = "for")]
    pub wait_for: WaitFor,
    /// When the wait began.
    pub since: Timestamp,
}

/// What ends a wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitFor {
    /// A timer is due.
    Timer {
        /// When it is due.
        due_at: Timestamp,
    },
    /// A step's next attempt is due.
    Retry {
        /// When it is due.
        due_at: Timestamp,
    },
    /// A child ends.
    Child {
        /// Its key.
        key: RunKey,
        /// Its id.
        id: RunId,
    },
    /// A message is sent.
    Message {
        /// The topic.
        topic: String,
        /// When the wait times out; `None` if it never does.
        due_at: Option<Timestamp>,
    },
    /// An event is set by a run, which need not exist yet.
    Event {
        /// The run.
        run: RunId,
        /// The key of the event.
        key: String,
        /// When the wait times out.
        due_at: Timestamp,
    },
    /// The run, which has paused itself, is resumed.
    Resume {
        /// When it was resumed; `None` while it is paused.
        resumed_at: Option<Timestamp>,
    },
}
