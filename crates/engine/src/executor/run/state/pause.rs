//! A pause for which the workflow has asked.
//!
//! The run leaves when it is quiet and nothing is left to deliver, so that no result is lost that was there before the pause.

use std::sync::Arc;

use onward_store::{LeaveHow, NewWait, WaitKind};
use onward_types::{Error, Timestamp};

use super::State;

/// A call that pauses its run.
#[derive(Clone, Debug)]
pub(crate) struct Pausing {
    pub(crate) position: u32,
    pub(crate) name: Arc<str>,
    /// The reason, as a sentence.
    pub(crate) said: String,
    /// The error that `result()` returns while the run is paused.
    pub(crate) error: Error,
    pub(crate) since: Timestamp,
}

impl State {
    /// The run pauses as soon as it is quiet. If several calls ask, the first one pauses it; the others do so after the resume.
    pub(crate) fn ask_pause(&mut self, pausing: impl FnOnce() -> Pausing) {
        if self.pausing.is_none() {
            self.pausing = Some(Box::new(pausing()));
        }
    }

    /// The call lost a race before the run was paused.
    pub(super) fn forget_pause(&mut self, position: u32) {
        if self.pausing.as_ref().is_some_and(|pausing| pausing.position == position) {
            self.pausing = None;
        }
    }

    /// The pause to carry out now. Nothing is left to deliver; a transaction that commits has to end first.
    pub(crate) fn take_pause(&mut self) -> Option<Box<Pausing>> {
        let is_free = self.turn.is_free() && self.ready.is_empty();
        if is_free { self.pausing.take() } else { None }
    }
}

impl Pausing {
    /// How the run leaves.
    pub(crate) fn leave(self) -> LeaveHow {
        let Pausing { position, name, said, error, since } = self;
        let by = Some(Box::new(NewWait { position, name, wait: WaitKind::Resume, since }));
        LeaveHow::Held { said, error: error.to_json(), by }
    }
}
