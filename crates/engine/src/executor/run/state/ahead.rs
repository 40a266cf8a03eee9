//! How far a run may be ahead of what is durable, in changes and in bytes.

use std::collections::VecDeque;

use onward_store::Change;

use super::State;

/// With more undurable changes than this, the run waits for the journal.
const CHANGES_MAX: u64 = 256;
/// With more undurable bytes than this, the run waits for the journal.
pub(super) const BYTES_MAX: usize = 1024 * 1024;
/// Changes up to this size are not counted in bytes: 256 of them fit into the budget.
pub(super) const SMALL: usize = BYTES_MAX / CHANGES_MAX as usize;

/// Large changes that are not known to be durable.
#[derive(Default)]
pub(super) struct Large {
    /// The number of each change of the run, and its size.
    changes: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Large {
    pub(super) fn note(&mut self, number: u64, change: &Change) {
        let size = change.size();
        if size > SMALL {
            self.changes.push_back((number, size));
            self.bytes += size;
        }
    }

    pub(super) fn forget(&mut self, durable: u64) {
        while let Some((_, size)) = self.changes.pop_front_if(|(number, _)| *number <= durable) {
            self.bytes -= size;
        }
    }

    /// The change up to which all must be durable, so that the rest is within the budget.
    fn due(&self) -> u64 {
        let mut bytes = self.bytes;
        let mut due = 0;
        for (number, size) in &self.changes {
            if bytes <= BYTES_MAX {
                break;
            }
            bytes -= size;
            due = *number;
        }
        due
    }
}

impl State {
    /// The change up to which all must be durable before the run makes more.
    pub(crate) fn due(&self) -> u64 {
        self.made.saturating_sub(CHANGES_MAX).max(self.large.due())
    }
}
