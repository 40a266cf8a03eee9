//! Changes: made by the run, submitted to the journal, and durable some time later.

use std::sync::Arc;
use std::task::Waker;

use onward_store::{Change, Checkpoint};
use onward_types::{Json, StepKind, Timestamp};

use super::State;

impl State {
    pub(super) fn record(
        &mut self,
        position: u32,
        kind: StepKind,
        name: Arc<str>,
        result: Result<Json, Json>,
        started_at: Timestamp,
        finished_at: Timestamp,
    ) {
        let seq = self.next_seq;
        self.next_seq += 1;
        let notes = self.notes.remove(&position);
        self.push(Change::Checkpoint(Checkpoint { position, seq, kind, name, result, notes, started_at, finished_at }));
        self.progress.get_or_insert(self.made);
    }

    pub(crate) fn push(&mut self, change: Change) {
        self.made += 1;
        self.large.note(self.made, &change);
        self.changes.push(change);
    }

    /// The changes to submit, and how many were made in all.
    pub(crate) fn take_changes(&mut self) -> Option<(Vec<Change>, u64)> {
        if self.changes.is_empty() {
            return None;
        }
        self.unwinding = None;
        Some((std::mem::take(&mut self.changes), self.made))
    }

    /// Discards changes that were not submitted: earlier changes were refused, and only a prefix may become durable.
    pub(crate) fn discard_changes(&mut self) {
        self.changes.clear();
    }

    /// Whether a completion was recorded here and is durable, given how many changes are durable.
    pub(crate) fn has_progressed(&self, durable: u64) -> bool {
        self.progress.is_some_and(|first| first <= durable)
    }

    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    pub(crate) fn wait_durable(&mut self, upto: u64, waker: &Waker) {
        // Calls of one `join!` share a waker, so the waker alone does not identify the call.
        self.barrier.retain(|(other_upto, other)| *other_upto != upto || !other.will_wake(waker));
        self.barrier.push((upto, waker.clone()));
    }

    /// The wakers of calls that waited for no more than these changes.
    pub(crate) fn past_barrier(&mut self, durable: u64) -> Vec<Waker> {
        self.large.forget(durable);
        let mut past = Vec::new();
        self.barrier.retain(|(upto, waker)| {
            let waits = *upto > durable;
            if !waits {
                past.push(waker.clone());
            }
            waits
        });
        past
    }
    /// Whether the run has recorded anything since it was loaded.
    pub(crate) fn has_recorded(&self) -> bool {
        self.progress.is_some()
    }
}
