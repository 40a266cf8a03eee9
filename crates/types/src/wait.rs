//! What a run waits for.

use serde::{Deserialize, Serialize};

use crate::{PersonRequest, Refused, RunId, Status, Timestamp};

/// A durable call that waits, and what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The position of the call that waits.
    pub position: u32,
    /// The name of the call.
    pub name: String,
    /// When the wait began.
    #[serde(with = "crate::wire::instant")]
    pub since: Timestamp,
    /// What a person has to do, if the call waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonRequest>,
    /// What ends the wait. In JSON its fields are beside the others, and `kind` says which they are.
    #[serde(flatten)]
    pub wait_for: WaitFor,
}

/// What ends a wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitFor {
    /// A timer: the run sleeps.
    Timer {
        /// When it is due.
        #[serde(with = "crate::wire::instant")]
        until: Timestamp,
    },
    /// The next attempt of a step.
    Retry {
        /// When it is due.
        #[serde(with = "crate::wire::instant")]
        until: Timestamp,
        /// The name of the step.
        step: String,
    },
    /// A message.
    Message {
        /// The topic.
        topic: String,
        /// When the wait times out; `None` if it never does.
        #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The messages on this topic that were refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Refused>,
    },
    /// A payload to a hook.
    Hook {
        /// The token of the hook.
        token: String,
        /// When the wait times out; `None` if it never does.
        #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The payloads to this hook that were refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Refused>,
    },
    /// The end of a child.
    Child {
        /// The child.
        run: RunId,
        /// Its state; `None` if it does not exist here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
    /// An event of a run, which need not exist yet.
    Event {
        /// The run that sets it.
        run: RunId,
        /// The key of the event.
        key: String,
        /// When the wait times out.
        #[serde(with = "crate::wire::instant")]
        until: Timestamp,
    },
    /// The resumption of the run, which has paused itself.
    Resume {
        /// When it was resumed; `None` while it is paused.
        #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
        resumed_at: Option<Timestamp>,
    },
}
