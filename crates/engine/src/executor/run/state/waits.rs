//! Waits: what is open in the database, and whether waiting is all that the run does.

use std::sync::Arc;

use onward_store::{Change, NewWait, WaitKind};
use onward_types::{Timestamp, WaitFor};

use super::{Idle, State};

impl State {
    /// The wait that was open at this position before the run was loaded.
    pub(crate) fn take_wait(&mut self, position: u32) -> Option<WaitFor> {
        let wait = self.waits.remove(&position)?;
        if let Some(call) = self.calls.get_mut(&position) {
            call.has_wait = true;
            // It began in an earlier life of the run.
            call.started_at = call.started_at.min(wait.since);
        }
        Some(wait.wait_for)
    }

    /// Somebody ended the sleep at this position. It learns so now, or when it is asked for.
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

    /// Whether a wait was opened at this position, in this life of the run or before.
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

    /// The hook that was opened at this position is dropped by the workflow, and not with it.
    pub(crate) fn close_hook(&mut self, position: u32) {
        // What comes later is recorded, so this was written long ago.
        let is_closed = !self.order.is_empty();
        if !self.left && self.halt.is_none() && !is_closed {
            self.note_unwinding();
            self.push(Change::CloseHook(position));
        }
    }

    /// Hooks that the workflow dropped when it returned stay behind under the name of its run: nobody can send to a run that
    /// has ended, and whoever tries is told so. Their tokens are free.
    pub(super) fn leave_hooks(&mut self) {
        while let Some(Change::CloseHook(_)) = self.changes.last() {
            self.changes.pop();
            self.made -= 1;
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

    /// Whether all that the run does is wait for what its wait rows say; and until when at the latest.
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

    /// Whether a body runs that a shutdown should wait for.
    pub(crate) fn has_work(&self) -> bool {
        !self.ready.is_empty() || !self.turn.is_free() || self.calls.values().any(|call| call.works)
    }
}
