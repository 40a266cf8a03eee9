//! Attempts of steps: which of them have a row, and how abandoned ones are recorded.

use std::sync::Arc;

use onward_store::{AttemptChange, Change, Tried};
use onward_types::{Code, Error, Json, Timestamp};

use super::State;

/// An attempt that has a row.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    pub(super) last: u32,
    pub(super) since: Timestamp,
    pub(super) failed: bool,
    pub(super) failures: u32,
}

impl Noted {
    pub(super) fn of(change: &AttemptChange) -> Noted {
        let AttemptChange { attempt, started_at, failures, .. } = *change;
        Noted { last: attempt, since: started_at, failed: change.error.is_some(), failures }
    }
}

impl State {
    /// The attempts of the step at this position that were recorded before the run was loaded.
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

    /// Stores the attempt whose result is that of the call. It is recorded together with the result: a crash in between would
    /// leave a counted attempt without a result, and then there would be one attempt too many.
    pub(crate) fn end_attempt(&mut self, attempt: AttemptChange) {
        if let Some(call) = self.calls.get_mut(&attempt.position) {
            call.ended = Some(Box::new(attempt));
        }
    }

    /// Stores the notes of the attempt whose result is that of the call. They are recorded together with the result.
    pub(crate) fn put_notes(&mut self, position: u32, notes: Option<Json>) {
        if let Some(notes) = notes.filter(|_| self.calls.contains_key(&position)) {
            self.notes.insert(position, notes);
        }
    }

    pub(super) fn note_end(&mut self, position: u32) {
        if let Some(ended) = self.calls.get_mut(&position).and_then(|call| call.ended.take()) {
            self.push(Change::Attempt(*ended));
        }
    }

    /// Records the end of an abandoned attempt. People see recorded attempts; without this it would seem to run for ever.
    pub(super) fn give_up(&mut self, position: u32, name: Arc<str>, noted: Noted, now: Timestamp) {
        let Noted { last, since, failed, failures } = noted;
        let error = Error::new(Code::Cancelled, "abandoned: it lost a race, or the run ended without it");
        self.push(Change::Attempt(AttemptChange {
            position,
            attempt: if failed { last + 1 } else { last },
            name,
            started_at: if failed { now } else { since },
            finished_at: Some(now),
            error: Some(error.to_json()),
            notes: None,
            failures,
            retry_at: None,
            heartbeat: None,
            drops: None,
        }));
    }
}
