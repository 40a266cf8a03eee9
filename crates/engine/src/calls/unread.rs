//! Recorded values that the code cannot read, mostly because a type was changed under a running run.
//!
//! Such a value is never passed on: the run is held, and continues from there once the code can read it. An error that a
//! workflow inspects with `downcast` is read long after its delivery, so it carries a reference to its run.

use std::sync::{Arc, Weak};
use std::task::Poll;

use onward_types::{Code, Error, ErrorType, HeldAt, Reader, StepKind};

use super::Drive;
use crate::executor::run::core::RunCore;
use crate::executor::run::state::Outcome;

/// The error that holds a run because a recorded value cannot be read.
pub(crate) fn unreadable(position: u32, kind: StepKind, name: &str, why: &Error) -> Error {
    let message = format!(
        "at position {position} the run recorded {kind} `{name}`, which the code cannot read: {why}. Deploy code that can read \
         it, then resume the run"
    );
    Error::new(Code::Decode, message).with_data(&HeldAt::new(position))
}

/// The result for the workflow. A call without a position has no recorded outcome that other code could have written.
pub(super) fn resolve<T: crate::data::Data>(drive: Option<&mut Drive>, outcome: Outcome) -> Poll<Result<T, Error>> {
    match drive {
        Some(drive) => drive.resolve(outcome),
        None => Poll::Ready(outcome.and_then(|json| json.decode())),
    }
}

/// The outcome of a child whose workflow declares the type of its errors. An error that exactly that type recorded and that cannot be
/// decoded as the type holds the run. Data of another type of the same name may be that of an error that the child passed on.
pub(super) fn checked(drive: &mut Drive, errors: ErrorType, polled: Poll<Outcome>) -> Poll<Outcome> {
    let Poll::Ready(Err(error)) = &polled else { return polled };
    match errors.check(error) {
        Err((why, true)) if !drive.core.is_detached() => drive.hold(&why),
        _ => polled,
    }
}

/// The error of a call, which holds the run if its data cannot be read as the requested type.
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
