//! The hooks of a run, as shown to people.

use serde::{Deserialize, Serialize};

use crate::{PersonRequest, Timestamp};

/// A hook that a run opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRecord {
    /// The token by which the outside world sends to the run.
    pub token: String,
    /// The position of the call that opened it.
    pub position: u32,
    /// Whether it is open.
    pub state: HookState,
    /// When it was opened.
    #[serde(with = "crate::wire::instant")]
    pub opened_at: Timestamp,
    /// What a person has to do at it, if it is for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonRequest>,
}

/// Whether a hook is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HookState {
    /// Payloads sent to its token reach the run.
    Open,
    /// The run closed it or has ended: its token is free, and another run may have taken it.
    Closed,
}

impl HookState {
    /// The state as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            HookState::Open => "open",
            HookState::Closed => "closed",
        }
    }
}

impl std::fmt::Display for HookState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
