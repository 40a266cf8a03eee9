//! Messages sent to a run, as shown to people.

use serde::{Deserialize, Serialize};

use crate::{Json, Timestamp, hook_of};

/// A message that was sent to a run and that no call has consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Its number, which identifies it when it is deleted or replaced.
    pub seq: i64,
    /// The topic. Each hook has a topic of its own.
    pub topic: String,
    /// The content. If the codec cannot decode it, this is the stored form.
    pub body: Json,
    /// The key that the sender gave it, if any. A second message with the same key is ignored.
    pub key: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Why it fits no call, if it was refused.
    pub refused: Option<String>,
    /// When it was refused.
    pub refused_at: Option<Timestamp>,
    /// Its place among the messages to the run. The next page begins after the last place on this one.
    pub place: i64,
}

impl MessageRecord {
    /// The token of the hook that it was sent to, if any.
    #[must_use]
    pub fn hook(&self) -> Option<&str> {
        hook_of(&self.topic)
    }
}

/// The refused messages on a topic, as the reason of a run shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The topic.
    pub topic: String,
    /// How many.
    pub count: i64,
    /// Why the last one was refused.
    pub why: String,
}
