//! Calls: polled, completed, dropped.

use std::sync::Arc;
use std::task::Waker;

use onward_store::{Change, Recorded};
use onward_types::{StepKind, Timestamp};

use super::{CallState, Idle, Made, Outcome, Polled, Ready, ReadyKind, State};

impl State {
    pub(crate) fn take_position(&mut self) -> u32 {
        self.next_position += 1;
        self.next_position - 1
    }

    /// Registers a call that is polled, and returns what it finds.
    pub(crate) fn poll_call(
        &mut self,
        position: u32,
        kind: StepKind,
        name: &Arc<str>,
        waker: &Waker,
        now: Timestamp,
    ) -> Polled {
        if self.halt.is_some() {
            return Polled::Wait;
        }
        if !self.register(position, kind, name, waker, now) {
            return Polled::Wait;
        }
        // The loser of a race is still there when the winner, the last of the history, was delivered: it must not begin.
        let undelivered = !self.live;
        let Some(call) = self.calls.get_mut(&position) else { return Polled::Wait };
        match call.delivered.take() {
            Some(outcome) => {
                self.calls.remove(&position);
                Polled::Done(outcome)
            }
            None if call.is_ready || undelivered => Polled::Wait,
            None => Polled::Live,
        }
    }

    /// Registers the waker of a call. False: the history has another call at this position.
    fn register(&mut self, position: u32, kind: StepKind, name: &Arc<str>, waker: &Waker, now: Timestamp) -> bool {
        if let Some(call) = self.calls.get_mut(&position) {
            call.waker.clone_from(waker);
            return true;
        }
        if let Some(recorded) = self.history.get(&position)
            && (recorded.kind != kind || recorded.name != *name)
        {
            let Recorded { kind: was, name: called, .. } = recorded;
            let message = format!(
                "at position {position} the run recorded {was} `{called}`, but the code now calls {kind} `{name}`. Restore the \
                 old order of calls, or guard the new code with a patch; then resume the run"
            );
            self.diverge(position, message);
            return false;
        }
        let call = CallState {
            kind,
            name: name.clone(),
            waker: waker.clone(),
            started_at: now,
            delivered: None,
            is_ready: false,
            idle: Idle::No,
            works: false,
            has_wait: false,
            attempt: None,
            ended: None,
        };
        self.calls.insert(position, Box::new(call));
        true
    }

    /// The recorded call that is delivered next, if the history has one left.
    pub(crate) fn next_recorded_call(&self) -> Option<(u32, String)> {
        let position = *self.order.front()?;
        let recorded = self.history.get(&position)?;
        Some((position, format!("{} `{}`", recorded.kind, recorded.name)))
    }

    /// Whether the whole history was delivered.
    pub(crate) fn is_past_history(&self) -> bool {
        self.order.is_empty()
    }

    /// The calls that were made and have no result.
    pub(crate) fn open_calls(&self) -> Vec<(u32, StepKind, Arc<str>)> {
        let open = self.calls.iter().filter(|(_, call)| call.delivered.is_none());
        open.map(|(position, call)| (*position, call.kind, call.name.clone())).collect()
    }

    /// The work of a call is done. The call gets its result at delivery.
    pub(crate) fn complete(&mut self, position: u32, outcome: Outcome, at: Timestamp) {
        let Some(call) = self.calls.get_mut(&position) else { return };
        call.is_ready = true;
        call.idle = Idle::No;
        if let Some(outcome) = self.recorded_by_itself(position, outcome) {
            self.ready.push_back(Ready { position, what: ReadyKind::Made(Made::Outcome(outcome)), at });
        }
    }

    pub(super) fn complete_as(&mut self, position: u32, made: Made, at: Timestamp) {
        if let Some(call) = self.calls.get_mut(&position) {
            call.is_ready = true;
            call.idle = Idle::No;
            self.ready.push_back(Ready { position, what: ReadyKind::Made(made), at });
        }
    }

    /// The workflow dropped a call before it resolved: its wait is over.
    pub(crate) fn dropped(&mut self, position: u32, now: Timestamp) {
        // What the code does after it failed to read something is not part of its history.
        if self.left || self.halt.is_some() {
            return;
        }
        let Some(call) = self.calls.remove(&position) else { return };
        self.note_unwinding();
        self.receivers.remove(&position);
        self.forget_pause(position);
        self.notes.remove(&position);
        // A wait from before the load still exists if the run left between the win and the drop of the loser.
        let recorded = self.waits.remove(&position).is_some();
        if call.has_wait || recorded {
            self.push(Change::CloseWait(position));
        }
        if let Some(noted) = call.attempt {
            self.give_up(position, call.name, noted, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::{ArcWake, waker};

    use onward_store::{OpenWait, WaitKind};
    use onward_types::Json;

    use super::*;

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicBool);

    impl ArcWake for Woken {
        fn wake_by_ref(woken: &Arc<Self>) {
            woken.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn the_loser_of_a_recorded_race_closes_the_wait_that_it_left_behind() {
        let mut state = State { live: false, ..State::fresh() };
        let since = Timestamp::UNIX_EPOCH;
        state.waits.insert(0, OpenWait { position: 0, wait: WaitKind::Timer(since), since });
        state.order.push_back(1);
        let loser = waker(Arc::new(Woken::default()));
        state.poll_call(0, StepKind::Sleep, &"sleep".into(), &loser, Timestamp::UNIX_EPOCH);
        state.dropped(0, since);
        assert!(matches!(state.changes[..], [Change::CloseWait(0)]));
    }

    #[test]
    fn a_call_that_waits_for_history_to_end_is_woken_when_a_recorded_number_was_the_last_of_it() {
        let mut state = State { live: false, ..State::fresh() };
        let recorded =
            Recorded { position: 1, seq: 1, kind: StepKind::Random, name: "r".into(), result: Ok(Json::null()) };
        state.order.push_back(1);
        state.history.insert(1, recorded);
        let now = Timestamp::UNIX_EPOCH;
        let step = Arc::new(Woken::default());
        let first = state.poll_call(0, StepKind::Step, &"charge".into(), &waker(step.clone()), now);
        assert!(matches!(first, Polled::Wait), "no body starts while recorded completions are undelivered");

        let other = waker(Arc::new(Woken::default()));
        let number =
            state.immediate(1, StepKind::Random, &"r".into(), &other, now, 0, || unreachable!("it is recorded"));
        assert!(matches!(number, Polled::Done(Ok(_))));
        assert!(state.deliver(now), "there is nothing left to deliver, and something to begin");
        assert!(step.0.load(std::sync::atomic::Ordering::SeqCst));
    }
}
