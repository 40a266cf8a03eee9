//! Recorded values that the code cannot read, mostly because a type was changed under a running run.
//!
//! Such a value is no fact, so nobody is given one: the run is held, and goes on from there once the code reads what was
//! recorded. An error that a workflow looks into with `downcast` is read long after it was delivered, so it carries a word to
//! its run with it.

use std::sync::{Arc, Weak};
use std::task::Poll;

use onward_types::{Code, Error, Reader, StepKind};

use super::Drive;
use crate::executor::run::core::RunCore;
use crate::executor::run::state::Outcome;

/// The reason for which a run is held whose recorded value cannot be read.
pub(crate) fn unreadable(position: u32, kind: StepKind, name: &str, why: &Error) -> Error {
    let message = format!(
        "at position {position} the run recorded {kind} `{name}`, and the code cannot read that: {why}. Deploy code that can, \
         then resume the run"
    );
    Error::new(Code::Decode, message)
}

/// What the workflow gets. A call without a place in the order of calls has nothing recorded by others.
pub(super) fn resolve<T: crate::data::Data>(drive: Option<&mut Drive>, outcome: Outcome) -> Poll<Result<T, Error>> {
    match drive {
        Some(drive) => drive.resolve(outcome),
        None => Poll::Ready(outcome.and_then(|json| json.decode())),
    }
}

/// The error of a call, which holds its run should the data of it be unreadable as the type that is asked for.
pub(super) fn watched(error: Error, drive: &Drive) -> Error {
    error.read_by(|| {
        let Drive { core, position, kind, name, .. } = drive;
        Arc::new(Watch { core: Arc::downgrade(core), position: *position, kind: *kind, name: name.clone() })
    })
}

struct Watch {
    core: Weak<RunCore>,
    position: u32,
    kind: StepKind,
    name: Arc<str>,
}

impl Reader for Watch {
    fn unreadable(&self, why: Error, is_same: bool) {
        let Some(core) = self.core.upgrade() else { return };
        let why = unreadable(self.position, self.kind, &self.name, &why);
        if is_same {
            core.halt(why);
        } else {
            core.with_state(|state| state.suspect(why));
        }
    }
}
