//! What steering a run did.

use serde::{Deserialize, Serialize};

use crate::Status;

/// What steering a run did: how it was found, and how many runs changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Steered {
    /// The state in which the run was found.
    pub found: Status,
    /// How many runs changed: this one, and those that moved with it. None where it was as it was to be, or has ended.
    pub runs: u64,
}

impl Steered {
    /// So many runs changed, of which the first was found in that state.
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
