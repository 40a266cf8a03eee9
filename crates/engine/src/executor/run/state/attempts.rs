//! Attempts of steps: which of them have a row, and how those that were given up are noted.

use std::sync::Arc;

use onward_store::{AttemptChange, Change, Tried};
use onward_types::{Code, Error, Timestamp};

use super::State;

/// An attempt that has a row.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    pub(super) last: u32,
    pub(super) since: Timestamp,
    pub(super) failed: bool,
}

impl Noted {
    pub(super) fn of(change: &AttemptChange) -> Noted {
        Noted { last: change.attempt, since: change.started_at, failed: change.error.is_some() }
    }
}

impl State {
    /// How often the step at this position was tried before the run was loaded.
    pub(crate) fn take_tried(&mut self, position: u32) -> Tried {
        let tried = self.tried.remove(&position).unwrap_or_default();
        if let (Some(call), Some(since)) = (self.calls.get_mut(&position), tried.since) {
            call.started_at = call.started_at.min(since);
        }
        tried
    }

    pub(crate) fn attempt(&mut self, attempt: AttemptChange) {
        if let Some(call) = self.calls.get_mut(&attempt.position) {
            call.attempt = Some(Noted::of(&attempt));
        }
        self.push(Change::Attempt(attempt));
    }

    /// The attempt whose result is that of the call. It is noted together with the result: a crash in between would leave an
    /// attempt that counts, and no result, and then there would be one more.
    pub(crate) fn end_attempt(&mut self, attempt: AttemptChange) {
        if let Some(call) = self.calls.get_mut(&attempt.position) {
            call.ended = Some(Box::new(attempt));
        }
    }

    pub(super) fn note_end(&mut self, position: u32) {
        if let Some(ended) = self.calls.get_mut(&position).and_then(|call| call.ended.take()) {
            self.push(Change::Attempt(*ended));
        }
    }

    /// People see attempts that were noted; of one that was given up nothing else would tell them so.
    pub(super) fn give_up(&mut self, position: u32, name: Arc<str>, noted: Noted, now: Timestamp) {
        let Noted { last, since, failed } = noted;
        let error = Error::new(Code::Cancelled, "given up: it lost a race, or the run ended without it");
        self.push(Change::Attempt(AttemptChange {
            position,
            attempt: if failed { last + 1 } else { last },
            name,
            started_at: if failed { now } else { since },
            finished_at: Some(now),
            error: Some(error.to_json()),
        }));
    }
}
