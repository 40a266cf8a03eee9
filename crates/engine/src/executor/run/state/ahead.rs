//! How far a run may be ahead of what is durable: by so many changes, and by so many bytes.

use std::collections::VecDeque;

use onward_store::Change;

use super::State;

/// More undurable changes than this, and the run waits for the journal.
const CHANGES_MAX: u64 = 256;
/// More undurable bytes than this, and the run waits for the journal.
pub(super) const BYTES_MAX: usize = 1024 * 1024;
/// Changes up to this size are not counted: 256 of them are no more than the budget.
const SMALL: usize = BYTES_MAX / CHANGES_MAX as usize;

/// Calls in a row that are resolved at once; the next one goes through a delivery, where a run that makes changes faster
/// than they become durable can be held back.
const IMMEDIATE_MAX: u32 = 128;

/// Large changes that are not known to be durable.
#[derive(Default)]
pub(super) struct Large {
    /// The number of each among the changes of the run, and its size.
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

    /// Up to which change they have to be durable, so that the others are within the budget.
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

/// What was resolved at once since the last delivery. It depends on what the workflow says and on nothing else, so that a replay
/// counts the same.
#[derive(Default)]
pub(super) struct Immediate {
    calls: u32,
    bytes: usize,
}

impl Immediate {
    /// Whether a call that says so many bytes may be resolved at once.
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
    /// Up to which change everything has to be durable before the run makes more.
    pub(crate) fn due(&self) -> u64 {
        self.made.saturating_sub(CHANGES_MAX).max(self.large.due())
    }
}
