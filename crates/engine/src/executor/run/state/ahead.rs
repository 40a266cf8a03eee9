//! How far a run may be ahead of what is durable, in changes and in bytes.

use std::collections::VecDeque;

use onward_store::Change;

use super::State;

/// With more undurable changes than this, the run waits for the journal.
const CHANGES_MAX: u64 = 256;
/// With more undurable bytes than this, the run waits for the journal.
pub(super) const BYTES_MAX: usize = 1024 * 1024;
/// Changes up to this size are not counted in bytes: 256 of them fit into the budget.
const SMALL: usize = BYTES_MAX / CHANGES_MAX as usize;

/// The maximum number of calls in a row that resolve immediately. The next one is delivered, and at a delivery a run that makes
/// changes faster than they become durable can be held back.
const IMMEDIATE_MAX: u32 = 128;

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

/// The calls that resolved immediately since the last delivery. It depends only on what the workflow publishes, so that a
/// replay counts the same.
#[derive(Default)]
pub(super) struct Immediate {
    calls: u32,
    bytes: usize,
}

impl Immediate {
    /// Whether a call that publishes this many bytes may resolve immediately.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        self.calls < IMMEDIATE_MAX && (bytes <= SMALL || self.bytes == 0 || self.bytes + bytes <= BYTES_MAX)
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.calls += 1;
        if bytes > SMALL {
            self.bytes += bytes;
        }
    }
}

impl State {
    /// The change up to which all must be durable before the run makes more.
    pub(crate) fn due(&self) -> u64 {
        self.made.saturating_sub(CHANGES_MAX).max(self.large.due())
    }
}
