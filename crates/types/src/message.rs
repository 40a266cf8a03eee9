//! Messages sent to a run, as shown to people.

use serde::{Deserialize, Serialize};

use crate::{Cursor, Json, RunId, Timestamp, hook_of};

/// A message that was sent to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Its number, which identifies it when it is deleted or replaced.
    pub seq: i64,
    /// The topic. Each hook has a topic of its own.
    pub topic: String,
    /// The content. If the codec cannot decode it, this is the stored form.
    pub body: Json,
    /// The key that the sender gave it, if any. A second message with the same key is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it was sent.
    #[serde(with = "crate::wire::instant")]
    pub sent_at: Timestamp,
    /// Why it fits no call, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// When it was refused.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// What became of it.
    pub state: MessageState,
    /// The position of the call that took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<u32>,
    /// Its place among the messages to the run, which it keeps when it is replaced.
    pub place: i64,
}

impl MessageRecord {
    /// The token of the hook that it was sent to, if any.
    #[must_use]
    pub fn hook(&self) -> Option<&str> {
        hook_of(&self.topic)
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageState {
    /// No call has taken it yet.
    Pending,
    /// It fits no call that waits for one, and was set aside.
    Refused,
    /// A call took it.
    Taken,
}

impl MessageState {
    /// The state as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MessageState::Pending => "pending",
            MessageState::Refused => "refused",
            MessageState::Taken => "taken",
        }
    }
}

impl std::fmt::Display for MessageState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Selects messages of a run. A field that is not set, or a list that is empty, does not restrict the selection.
///
/// ```
/// use onward_types::{MessageFilter, MessageState};
/// let taken = MessageFilter { states: vec![MessageState::Taken], ..MessageFilter::default() };
/// assert!(taken.after.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessageFilter {
    /// Only messages in one of these states.
    pub states: Vec<MessageState>,
    /// Only messages on this topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The maximum number of messages, at most 10,000. `None` means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Continue after this place: the `next` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// The page that ends before this place: the `previous` of a page. Not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cursor>,
}

impl MessageFilter {
    /// The messages that no call has taken: pending and refused ones.
    #[must_use]
    pub fn untaken() -> MessageFilter {
        MessageFilter { states: vec![MessageState::Pending, MessageState::Refused], ..MessageFilter::default() }
    }
}

/// The result of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sent {
    /// The number of the message, which identifies it among the messages of its run.
    pub seq: i64,
    /// `false` if a message with the same key was sent to the run before: then this is the number of that one, and nothing was
    /// sent.
    pub is_new: bool,
}

impl Sent {
    /// The result for the message with this number.
    #[must_use]
    pub const fn new(seq: i64, is_new: bool) -> Sent {
        Sent { seq, is_new }
    }
}

/// The result of sending a payload to a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resumed {
    /// The run that has the hook.
    pub run: RunId,
    /// The number of the payload among the messages of that run.
    pub seq: i64,
    /// `false` if a payload with the same key was sent to the hook before: then this is the number of that one, and nothing was
    /// sent.
    pub is_new: bool,
}

impl Resumed {
    /// The result for a run that got this.
    #[must_use]
    pub fn new(run: RunId, sent: Sent) -> Resumed {
        Resumed { run, seq: sent.seq, is_new: sent.is_new }
    }
}

/// The refused messages on a topic, as the reason of a run shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// How many.
    pub count: u32,
    /// Why the last one was refused.
    pub message: String,
}
