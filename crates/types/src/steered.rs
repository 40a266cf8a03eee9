//! The result of managing a run.

use serde::{Deserialize, Serialize};

use crate::Status;

/// The result of managing a run, for example cancelling it: the state it was found in, and how many runs changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Steered {
    /// The state of the run before the change.
    pub found: Status,
    /// How many runs changed: this one and those that changed with it. 0 if it was already in the requested state or has ended.
    pub runs: u64,
}

impl Steered {
    /// The result when `runs` runs changed and the given one was in the state `found`.
    #[must_use]
    pub fn new(found: Status, runs: u64) -> Steered {
        Steered { found, runs }
    }

    /// Whether anything changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.runs > 0
    }
}
