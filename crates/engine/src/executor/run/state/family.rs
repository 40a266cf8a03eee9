//! Children whose parent's end concerns them.

use onward_store::{Change, History};
use onward_types::{ParentEnd, StepKind};

use super::State;

/// The name under which a run waits for its children before it ends.
pub(crate) const CHILDREN: &str = "onward:children";

/// Which children the run may have.
#[derive(Clone, Copy, Default)]
pub(super) struct Family {
    /// Such that the run waits for before it ends.
    waits: bool,
    /// Such that are cancelled when it has ended.
    cancels: bool,
}

impl Family {
    /// As far as the history shows it. The calls that start children note the rest.
    pub(super) fn of(history: &History) -> Family {
        let has_waited = || history.checkpoints.iter().any(|it| it.kind == StepKind::Child && &*it.name == CHILDREN);
        Family { waits: history.awaits_children || has_waited(), cancels: history.first_position > 0 }
    }
}

impl State {
    /// The code starts a child with which this happens at the end of the run.
    pub(crate) fn note_child(&mut self, end: ParentEnd) {
        match end {
            ParentEnd::Wait => self.family.waits = true,
            ParentEnd::Cancel => self.family.cancels = true,
            _ => {}
        }
    }

    /// The workflow has returned. Whether the run has to wait for children before it ends; the second time it need not.
    pub(crate) fn waits_for_children(&mut self) -> bool {
        let waits = self.halt.is_none() && std::mem::take(&mut self.family.waits);
        if waits {
            self.leave_hooks();
        }
        waits
    }

    /// Whether children may have to be cancelled now that the run has ended.
    pub(crate) fn cancels_children(&self) -> bool {
        self.family.cancels
    }

    /// The position of the next call.
    pub(crate) fn next_position(&self) -> u32 {
        self.next_position
    }

    /// Keeps the hooks that the workflow dropped when it returned: the next attempt opens them again, and what is sent to them in
    /// the meantime waits for it.
    pub(crate) fn keep_hooks(&mut self) {
        while matches!(self.changes.last(), Some(Change::EndHook(_))) {
            self.changes.pop();
            self.made -= 1;
        }
    }
}
