//! The state of a run in memory: its history, its calls, and its changes that are not durable yet.
//!
//! This file decides; it waits for nothing. Completions are delivered one at a time, in the order of their `seq`, live and on
//! replay, and everything the workflow does between two deliveries is determined by them. That is why `join!`, `select` and
//! loops replay identically.

mod ahead;
mod attempts;
mod messages;
mod pause;
mod turn;
mod waits;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use onward_store::{AttemptChange, Change, Checkpoint, History, OpenWait, Recorded, Tried};
use onward_types::{Code, Error, HeldAt, Json, StepKind, Timestamp};

use super::inbox::Inbox;
use super::tails::{Said, Tails};
use ahead::{Immediate, Large};
use attempts::Noted;
use messages::Receiver;
pub(crate) use messages::{Candidate, Takes};
pub(crate) use pause::Pausing;
pub(crate) use turn::Granted;
use turn::Turn;

/// What a call resolves to.
pub(crate) type Outcome = Result<Json, Error>;

/// Positions from here on belong to patches, which are outside the order of calls.
pub(crate) const PATCHES: u32 = 1 << 31;

/// Its maps are trees, because an empty one takes half the memory of an empty hash map, and most runs that wait have most of
/// them empty.
#[derive(Default)]
pub(crate) struct State {
    next_position: u32,
    /// Recorded results that are not delivered yet, by position.
    history: BTreeMap<u32, Recorded>,
    /// The positions of `history`, in the order of delivery.
    order: VecDeque<u32>,
    /// Waits that were open when the run was loaded, until their calls take them.
    waits: BTreeMap<u32, OpenWait>,
    /// Attempts that were recorded before the run was loaded, until their steps take them.
    tried: BTreeMap<u32, Tried>,
    /// Sleeps that were ended from outside.
    woken: BTreeSet<u32>,
    patches: BTreeMap<Arc<str>, bool>,
    patches_recorded: u32,
    /// Boxed, because a node of the tree has room for eleven entries and most runs make one call at a time.
    calls: BTreeMap<u32, Box<CallState>>,
    /// Calls that take messages, each with its topic and its type.
    receivers: BTreeMap<u32, Receiver>,
    inbox: Inbox,
    tails: Tails,
    /// Changes that published something for which watchers were not notified yet: the first and the last.
    unannounced: Option<(u64, u64)>,
    /// Results in the order in which they completed, not yet delivered.
    ready: VecDeque<Ready>,
    turn: Turn,
    next_seq: u64,
    immediate: Immediate,
    /// Whether the run is past its history: all of it is delivered, and the workflow has reacted to it.
    live: bool,
    /// Changes that are not submitted to the journal yet.
    changes: Vec<Change>,
    /// How many changes the run has made in all.
    made: u64,
    large: Large,
    /// The number of the first change that recorded a completion.
    progress: Option<u64>,
    /// The wakers of calls that wait until a change is durable.
    barrier: Vec<(u64, Waker)>,
    /// The index in `changes` of the first change that was made while a panic of the workflow unwound.
    unwinding: Option<usize>,
    /// Notes of steps that have a result which is not recorded yet, by position.
    notes: BTreeMap<u32, Json>,
    /// The pause for which the workflow has asked.
    pausing: Option<Box<Pausing>>,
    /// The call with which the workflow ends its generation, and the input of the next one.
    continuing: Option<(u32, Json)>,
    /// The error that holds the run.
    halt: Option<Error>,
    /// A possible cause if the code diverges from the history.
    suspected: Option<Error>,
    left: bool,
}

/// A call that was polled and has not resolved.
struct CallState {
    kind: StepKind,
    name: Arc<str>,
    waker: Waker,
    started_at: Timestamp,
    delivered: Option<Outcome>,
    /// Whether its result is in `ready`.
    is_ready: bool,
    idle: Idle,
    /// Whether a step body runs.
    works: bool,
    has_wait: bool,
    /// The last of its attempts that has a row.
    attempt: Option<Noted>,
    /// How the last attempt ended.
    ended: Option<Box<AttemptChange>>,
}

/// Whether a call only waits for something that its wait row describes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Idle {
    /// It works: dropping it would lose something.
    No,
    /// It waits, at most until this time if there is one.
    Until(Option<Timestamp>),
}

struct Ready {
    position: u32,
    what: ReadyKind,
    at: Timestamp,
}

enum ReadyKind {
    Made(Made),
    /// A transaction requests the next turn.
    Turn,
}

/// What a call made.
pub(crate) enum Made {
    /// An outcome.
    Outcome(Outcome),
    /// It publishes this when it is recorded, and has no result.
    Said(Said),
}

/// What a call finds when it is polled.
pub(crate) enum Polled {
    /// Its result was delivered.
    Done(Outcome),
    /// Nothing to do until it is woken.
    Wait,
    /// The run is past its history: do the work.
    Live,
}

impl State {
    pub(crate) fn replaying(history: &mut History) -> State {
        let mut state = State { next_seq: 1, next_position: history.first_position, ..State::default() };
        for recorded in std::mem::take(&mut history.checkpoints) {
            state.next_seq = state.next_seq.max(recorded.seq + 1);
            if recorded.kind == StepKind::Patch {
                state.patches_recorded += 1;
                state.patches.insert(recorded.name, true);
            } else {
                state.order.push_back(recorded.position);
                state.history.insert(recorded.position, recorded);
            }
        }
        state.waits = std::mem::take(&mut history.waits).into_iter().map(|wait| (wait.position, wait)).collect();
        state.tried = std::mem::take(&mut history.attempts);
        state.tails = Tails::of(std::mem::take(&mut history.streams));
        state.inbox = Inbox::of(std::mem::take(&mut history.messages));
        state.live = state.order.is_empty();
        state
    }

    pub(crate) fn fresh() -> State {
        State { next_seq: 1, live: true, ..State::default() }
    }

    // Calls.

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

    /// The work of a call is done. The call gets its result at delivery.
    pub(crate) fn complete(&mut self, position: u32, outcome: Outcome, at: Timestamp) {
        let Some(call) = self.calls.get_mut(&position) else { return };
        call.is_ready = true;
        call.idle = Idle::No;
        if let Some(outcome) = self.recorded_by_itself(position, outcome) {
            self.ready.push_back(Ready { position, what: ReadyKind::Made(Made::Outcome(outcome)), at });
        }
    }

    fn complete_as(&mut self, position: u32, made: Made, at: Timestamp) {
        if let Some(call) = self.calls.get_mut(&position) {
            call.is_ready = true;
            call.idle = Idle::No;
            self.ready.push_back(Ready { position, what: ReadyKind::Made(made), at });
        }
    }

    /// Resolves a call without work that publishes this many bytes: immediately, if its turn has come.
    #[expect(clippy::too_many_arguments, reason = "a call, who polls it and what it makes")]
    pub(crate) fn immediate(
        &mut self,
        position: u32,
        kind: StepKind,
        name: &Arc<str>,
        waker: &Waker,
        now: Timestamp,
        bytes: usize,
        made: impl FnOnce() -> Made,
    ) -> Polled {
        // A call that was once deferred stays deferred, however often it is polled before its turn.
        let is_first = !self.calls.contains_key(&position);
        // A call without work does not wait for the run to become live: on the next replay it will resolve here too.
        let polled = match self.poll_call(position, kind, name, waker, now) {
            Polled::Wait if self.waits_for_live(position) => Polled::Live,
            polled => polled,
        };
        match polled {
            Polled::Live if self.immediate.takes(bytes) && self.turn.is_free() => {
                self.immediate.add(bytes);
                self.calls.remove(&position);
                let outcome = self.say_made(position, made(), now);
                let recorded = outcome.map_err(|error| error.to_json());
                let Some(outcome) = self.understood(position, kind, name, &recorded) else { return Polled::Wait };
                self.record(position, kind, name.clone(), recorded, now, now);
                Polled::Done(outcome)
            }
            Polled::Live => {
                self.complete_as(position, made(), now);
                Polled::Wait
            }
            Polled::Wait
                if is_first
                    && self.halt.is_none()
                    && self.order.front() == Some(&position)
                    && self.immediate.takes(bytes) =>
            {
                self.immediate.add(bytes);
                self.calls.remove(&position);
                match self.next_recorded(position) {
                    Some(outcome) => Polled::Done(outcome),
                    None => Polled::Wait,
                }
            }
            polled => polled,
        }
    }

    /// Whether the call waits only because the run is not live yet.
    fn waits_for_live(&self, position: u32) -> bool {
        let Some(call) = self.calls.get(&position) else { return false };
        let is_fresh = !call.is_ready && call.delivered.is_none();
        self.halt.is_none() && !self.live && self.order.is_empty() && is_fresh
    }

    /// Whether a patch applies: it is recorded, or the run has no recorded history beyond this point.
    pub(crate) fn patched(&mut self, name: &Arc<str>, now: Timestamp) -> bool {
        if let Some(applies) = self.patches.get(name) {
            return *applies;
        }
        let applies = self.order.is_empty();
        if applies {
            let position = PATCHES + self.patches_recorded;
            self.patches_recorded += 1;
            self.record(position, StepKind::Patch, name.clone(), Ok(Json::from("true".to_owned())), now, now);
        }
        self.patches.insert(name.clone(), applies);
        applies
    }

    /// The whole workflow is about to be dropped: that closes none of its waits.
    pub(crate) fn leave_memory(&mut self) {
        self.left = true;
    }

    /// The workflow was dropped. Removes everything that holds a waker: wakers reference the run, and the run owns them.
    pub(crate) fn forget_calls(&mut self) {
        self.calls = BTreeMap::new();
        self.receivers = BTreeMap::new();
        self.inbox = Inbox::default();
        self.ready = VecDeque::new();
        self.barrier = Vec::new();
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

    // Delivery.

    /// Delivers the next completion, if there is one. Returns whether a call was woken.
    pub(crate) fn deliver(&mut self, now: Timestamp) -> bool {
        if self.halt.is_some() {
            return false;
        }
        if let Some(position) = self.order.front().copied() {
            return self.deliver_recorded(position);
        }
        if !self.live {
            return self.go_live();
        }
        if let Some(woken) = self.deliver_turn() {
            return woken;
        }
        while let Some(Ready { position, what, at }) = self.ready.pop_front() {
            let is_message_there = self.is_message_there(position);
            let Some(call) = self.calls.get_mut(&position) else { continue };
            let made = match what {
                ReadyKind::Made(made) => made,
                ReadyKind::Turn => {
                    self.give_turn(position);
                    return true;
                }
            };
            if is_message_there {
                // Its timeout had passed, but a message has arrived.
                call.is_ready = false;
                continue;
            }
            self.receivers.remove(&position);
            let (kind, name, started_at) = (call.kind, call.name.clone(), call.started_at);
            let has_wait = call.has_wait;
            let outcome = self.say_made(position, made, at);
            // What the workflow sees now is exactly what it will see on replay.
            let recorded = outcome.map_err(|error| error.to_json());
            let Some(outcome) = self.understood(position, kind, &name, &recorded) else { return false };
            let Some(call) = self.calls.get_mut(&position) else { continue };
            call.delivered = Some(outcome);
            call.waker.wake_by_ref();
            if has_wait {
                self.push(Change::CloseWait(position));
            }
            self.note_end(position);
            self.record(position, kind, name, recorded, started_at, at);
            self.immediate = Immediate::default();
            return true;
        }
        self.deliver_message(now)
    }

    /// The run is past its history and quiet: calls that waited for that may begin.
    fn go_live(&mut self) -> bool {
        self.live = true;
        for call in self.calls.values() {
            call.waker.wake_by_ref();
        }
        true
    }

    fn deliver_recorded(&mut self, position: u32) -> bool {
        let Some(call) = self.calls.get(&position) else {
            let what = self.history.get(&position).map_or_else(String::new, |it| format!("{} `{}`", it.kind, it.name));
            let message = format!(
                "the run recorded {what} at position {position}, but the code did not make that call. Restore the call, then \
                 resume the run"
            );
            self.diverge(position, message);
            return false;
        };
        call.waker.wake_by_ref();
        let Some(outcome) = self.next_recorded(position) else { return false };
        self.immediate = Immediate::default();
        if let Some(call) = self.calls.get_mut(&position) {
            call.delivered = Some(outcome);
        }
        true
    }

    /// Takes the next completion out of the history. `None`: it cannot be read, and the run is halted.
    fn next_recorded(&mut self, position: u32) -> Option<Outcome> {
        let Recorded { kind, name, result, .. } = self.history.remove(&position)?;
        self.order.pop_front();
        self.understood(position, kind, &name, &result)
    }

    /// A recorded result as the workflow sees it. `None`: it cannot be read, and the run is halted.
    fn understood(
        &mut self,
        position: u32,
        kind: StepKind,
        name: &str,
        result: &Result<Json, Json>,
    ) -> Option<Outcome> {
        let why = match result {
            Ok(value) => return Some(Ok(value.clone())),
            Err(json) => match Error::from_json(json) {
                Ok(error) if error.kind() == Code::Unknown => format!(
                    "an error with code `{}` ({error}), which this version of Onward does not know. Resume the run on the \
                     version that recorded it, or a newer one",
                    error.code()
                ),
                Ok(error) => return Some(Err(error)),
                Err(why) => format!("an error that cannot be read: {why}"),
            },
        };
        let message = format!("at position {position}, {kind} `{name}` recorded {why}");
        self.halt(Error::new(Code::Decode, message));
        None
    }

    /// The workflow returned. A recorded call that it did not make is a divergence.
    pub(crate) fn returned(&mut self) -> Option<Error> {
        if self.halt.is_none()
            && let Some(position) = self.order.front()
        {
            let what = self.history.get(position).map_or_else(String::new, |it| format!("{} `{}`", it.kind, it.name));
            let message = format!(
                "the code returned, but the run recorded {what} at position {position}. Restore the call, then resume the \
                 run"
            );
            self.diverge(*position, message);
        }
        self.leave_hooks();
        self.halt.clone()
    }

    pub(crate) fn halt(&mut self, why: Error) {
        self.halt.get_or_insert(why);
    }

    /// Remembers a possible cause of a later divergence.
    pub(crate) fn suspect(&mut self, why: Error) {
        self.suspected.get_or_insert(why);
    }

    fn diverge(&mut self, position: u32, message: String) {
        let message = match &self.suspected {
            Some(before) => format!("{message}. A possible cause: {before}"),
            None => message,
        };
        self.halt(Error::new(Code::Diverged, message).with_data(&HeldAt::new(position)));
    }

    /// A panic drops what the workflow holds; the workflow will hold it again when it continues.
    fn note_unwinding(&mut self) {
        if std::thread::panicking() {
            self.unwinding.get_or_insert(self.changes.len());
        }
    }

    /// The workflow panicked and will continue from here once its code is fixed: discards the changes that its drops made.
    /// Returns the error that holds the run.
    pub(crate) fn panicked(&mut self, why: Error) -> Error {
        if let Some(from) = self.unwinding.take() {
            self.made -= self.changes.drain(from..).count() as u64;
        }
        self.halt.get_or_insert(why).clone()
    }

    pub(crate) fn halted(&self) -> Option<&Error> {
        self.halt.as_ref()
    }

    /// Whether the run has recorded anything since it was loaded.
    pub(crate) fn has_recorded(&self) -> bool {
        self.progress.is_some()
    }

    // Changes.

    fn record(
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
}

#[cfg(test)]
mod tests {
    use futures_util::task::{ArcWake, waker};

    use onward_store::WaitKind;

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
