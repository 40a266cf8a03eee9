//! Waits: which are open in the database, and whether the run only waits.

use std::sync::Arc;

use onward_store::{Change, NewWait, WaitKind};
use onward_types::{PersonRequest, StepKind, Timestamp};

use super::{Idle, State};

impl State {
    /// The wait that was open at this position before the run was loaded.
    pub(crate) fn take_wait(&mut self, position: u32) -> Option<WaitKind> {
        let wait = self.waits.remove(&position)?;
        if let Some(call) = self.calls.get_mut(&position) {
            call.has_wait = true;
            // It began under an earlier owner of the run.
            call.started_at = call.started_at.min(wait.since);
        }
        Some(wait.wait)
    }

    /// The sleep at this position was ended from outside. Its call is woken now, or resolves at once when it is first polled.
    pub(crate) fn wake_up(&mut self, position: u32) {
        if self.woken.insert(position)
            && let Some(call) = self.calls.get_mut(&position)
        {
            call.idle = Idle::No;
            call.waker.wake_by_ref();
        }
    }

    pub(crate) fn is_woken(&self, position: u32) -> bool {
        self.woken.contains(&position)
    }

    /// Whether a wait is open at this position, opened now or before the run was loaded.
    pub(crate) fn has_wait(&self, position: u32) -> bool {
        self.calls.get(&position).is_some_and(|call| call.has_wait)
    }

    pub(crate) fn open_wait(&mut self, position: u32, name: &Arc<str>, wait: WaitKind, since: Timestamp) {
        if let Some(call) = self.calls.get_mut(&position) {
            call.has_wait = true;
        }
        self.push(Change::OpenWait(NewWait { position, name: name.clone(), wait, since }));
    }

    pub(crate) fn close_wait(&mut self, position: u32) {
        if let Some(call) = self.calls.get_mut(&position)
            && std::mem::take(&mut call.has_wait)
        {
            self.push(Change::CloseWait(position));
        }
    }

    /// The call at this position wants something from a person. It is recorded even if the message is there already.
    pub(crate) fn request_person(&mut self, position: u32, request: &Arc<PersonRequest>) {
        self.push(Change::RequestPerson { position, request: request.clone() });
    }

    /// The workflow dropped the hook that was opened at this position, and was not itself dropped.
    pub(crate) fn close_hook(&mut self, position: u32) {
        // Later calls are recorded, so this close was written long ago.
        let is_closed = !self.order.is_empty();
        if !self.left && self.halt.is_none() && !is_closed {
            self.note_unwinding();
            self.push(Change::CloseHook(position));
        }
    }

    /// Keeps the hooks that the workflow dropped when it returned: they stay linked to the run, so that sending to one reports
    /// that the run has ended. Their tokens are free.
    pub(super) fn leave_hooks(&mut self) {
        for change in self.changes.iter_mut().rev() {
            let Change::CloseHook(position) = *change else { break };
            *change = Change::EndHook(position);
        }
    }

    pub(crate) fn set_idle(&mut self, position: u32, idle: Idle) {
        if let Some(call) = self.calls.get_mut(&position) {
            call.idle = idle;
        }
    }

    /// The body of a step begins or has ended.
    pub(crate) fn set_works(&mut self, position: u32, works: bool) {
        if let Some(call) = self.calls.get_mut(&position) {
            call.works = works;
        }
    }

    /// Whether the run only waits for what its wait rows describe, and until when at most.
    pub(crate) fn idle(&self) -> Idle {
        if self.calls.is_empty() || !self.live || !self.ready.is_empty() || !self.turn.is_free() {
            return Idle::No;
        }
        let mut earliest: Option<Timestamp> = None;
        for call in self.calls.values() {
            match call.idle {
                Idle::No => return Idle::No,
                Idle::Until(None) => {}
                Idle::Until(Some(at)) => earliest = Some(earliest.map_or(at, |before| before.min(at))),
            }
        }
        Idle::Until(earliest)
    }

    /// The calls whose bodies run.
    pub(crate) fn working(&self) -> Vec<(StepKind, Arc<str>)> {
        self.calls.values().filter(|call| call.works).map(|call| (call.kind, call.name.clone())).collect()
    }

    /// Whether a body runs that a shutdown should wait for.
    pub(crate) fn has_work(&self) -> bool {
        !self.ready.is_empty() || !self.turn.is_free() || self.calls.values().any(|call| call.works)
    }
}
