//! Calls with which the workflow makes its run leave: a pause, and the beginning of the next generation.
//!
//! The run leaves when it is quiet and nothing is left to deliver, so that no result is lost that was there before the pause.

use std::sync::Arc;

use onward_store::{LeaveHow, NewWait, WaitKind};
use onward_types::{Error, Json, Timestamp};

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

    /// The next generation begins with this input as soon as the run is quiet.
    pub(crate) fn ask_continue(&mut self, position: u32, input: &Json) {
        self.continuing.get_or_insert_with(|| (position, input.clone()));
    }

    /// The call lost a race before the run left.
    pub(super) fn forget_pause(&mut self, position: u32) {
        self.continuing = self.continuing.take().filter(|(of, _)| *of != position);
        if self.pausing.as_ref().is_some_and(|pausing| pausing.position == position) {
            self.pausing = None;
        }
    }

    /// How the run leaves now, if the workflow has asked for it. Nothing is left to deliver; a transaction that commits has to
    /// end first. A generation ends after its pauses.
    pub(crate) fn take_departure(&mut self) -> Option<LeaveHow> {
        if !self.turn.is_free() || !self.ready.is_empty() {
            return None;
        }
        if let Some(pausing) = self.pausing.take() {
            return Some(pausing.leave());
        }
        let (_, input) = self.continuing.take()?;
        Some(LeaveHow::Continued { input, first_position: self.next_position })
    }
}

impl Pausing {
    /// How the run leaves.
    fn leave(self) -> LeaveHow {
        let Pausing { position, name, said, error, since } = self;
        let by = Some(Box::new(NewWait { position, name, wait: WaitKind::Resume { resumed_at: None }, since }));
        LeaveHow::Held { said, error: error.to_json(), by }
    }
}
