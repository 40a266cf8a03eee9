//! The messages of a run, as people see them.

use serde::{Deserialize, Serialize};

use crate::{Json, Timestamp, hook_of};

/// A message that was sent to a run, and that no call has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Its number, by which it is deleted or replaced.
    pub seq: i64,
    /// On which topic. Payloads of hooks have topics of their own.
    pub topic: String,
    /// What it says. What cannot be decoded is shown as it is stored.
    pub body: Json,
    /// The key that the sender gave it.
    pub key: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Why it fits no call, if it was refused.
    pub refused: Option<String>,
    /// When it was refused.
    pub refused_at: Option<Timestamp>,
    /// Its place in the order of what was sent to the run. The next page begins after the last of this one.
    pub place: i64,
}

impl MessageRecord {
    /// The token of the hook that it was sent to, if it was.
    #[must_use]
    pub fn hook(&self) -> Option<&str> {
        hook_of(&self.topic)
    }
}

/// Messages of a topic that were refused, as the reason of a run tells of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The topic.
    pub topic: String,
    /// How many.
    pub count: i64,
    /// Why the last of them was.
    pub why: String,
}
