//! The turn of a transaction: it gets its `seq` before it commits, and until it has ended nothing else is delivered.
//!
//! Every other completion gets its `seq` at delivery. A transaction writes its own checkpoint, so it needs the number before,
//! and no other completion may come in between: see `docs/decisions/0007-transactional-steps.md`.

use onward_types::Timestamp;

use super::{Outcome, Ready, ReadyKind, State};

#[derive(Default)]
pub(super) enum Turn {
    /// Completions are delivered as they come.
    #[default]
    Free,
    /// A transaction has the turn. Once it commits, only the database knows whether the commit succeeded.
    Given { position: u32, granted: Granted, commits: bool },
    /// It was committed; its call has not completed yet.
    Committed { position: u32 },
    /// It is delivered next, and is already recorded.
    Recorded { position: u32, outcome: Outcome },
}

/// What a transaction gets with its turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Granted {
    pub(crate) seq: u64,
    /// Every change up to this one must be durable before it commits.
    pub(crate) upto: u64,
    /// When the call began.
    pub(crate) started_at: Timestamp,
}

impl Turn {
    pub(super) fn is_free(&self) -> bool {
        matches!(self, Turn::Free)
    }
}

impl State {
    /// Queues for the turn, behind the results that wait for delivery.
    pub(crate) fn ask_turn(&mut self, position: u32, at: Timestamp) {
        self.ready.push_back(Ready { position, what: ReadyKind::Turn, at });
    }

    /// What the transaction at this position was granted, if it has the turn.
    pub(crate) fn turn_of(&self, position: u32) -> Option<Granted> {
        match &self.turn {
            Turn::Given { position: of, granted, .. } if *of == position => Some(*granted),
            _ => None,
        }
    }

    /// From here on only the database knows whether the transaction is committed.
    pub(crate) fn begin_commit(&mut self, of: u32) {
        if let Turn::Given { position, commits, .. } = &mut self.turn
            && *position == of
        {
            *commits = true;
        }
    }

    /// Whether the transaction at this position can no longer be abandoned.
    pub(crate) fn is_committing(&self, of: u32) -> bool {
        match &self.turn {
            Turn::Given { position, commits, .. } => *position == of && *commits,
            Turn::Committed { position } | Turn::Recorded { position, .. } => *position == of,
            Turn::Free => false,
        }
    }

    /// The transaction was committed.
    pub(crate) fn note_committed(&mut self, position: u32) {
        self.turn = Turn::Committed { position };
    }

    /// The transaction was rolled back, or no longer waits for its turn. If it had a `seq`, that stays unused.
    pub(crate) fn give_back_turn(&mut self, position: u32) {
        self.ready.retain(|ready| ready.position != position || !matches!(ready.what, ReadyKind::Turn));
        if self.turn_of(position).is_some() {
            self.turn = Turn::Free;
            // Others may have waited behind it; the run's task checks again when it is polled.
            self.wake_call(position);
        }
    }

    pub(super) fn give_turn(&mut self, position: u32) {
        let Some(call) = self.calls.get(&position) else { return };
        let granted = Granted { seq: self.next_seq, upto: self.made, started_at: call.started_at };
        self.next_seq += 1;
        self.turn = Turn::Given { position, granted, commits: false };
        self.wake_call(position);
    }

    /// Keeps the result of a committed transaction for delivery. Any other outcome is returned unchanged.
    pub(super) fn recorded_by_itself(&mut self, position: u32, outcome: Outcome) -> Option<Outcome> {
        match self.turn {
            Turn::Committed { position: of } if of == position => {
                self.turn = Turn::Recorded { position, outcome };
                None
            }
            _ => Some(outcome),
        }
    }

    /// Delivers the result of a committed transaction. `None`: no transaction has the turn. `Some(false)`: one has it and is
    /// not done.
    pub(super) fn deliver_turn(&mut self) -> Option<bool> {
        match std::mem::take(&mut self.turn) {
            Turn::Free => None,
            Turn::Recorded { position, outcome } => {
                self.immediate = super::Immediate::default();
                self.progress.get_or_insert(self.made);
                let call = self.calls.get_mut(&position)?;
                call.delivered = Some(outcome);
                call.waker.wake_by_ref();
                self.note_end(position);
                Some(true)
            }
            taken => {
                self.turn = taken;
                Some(false)
            }
        }
    }

    fn wake_call(&self, position: u32) {
        if let Some(call) = self.calls.get(&position) {
            call.waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::task::noop_waker;
    use onward_store::Change;
    use onward_types::{Json, StepKind};

    use super::*;
    use crate::executor::run::state::{Made, Polled};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn with_calls(kinds: &[StepKind]) -> State {
        let mut state = State::fresh();
        for (position, kind) in (0..).zip(kinds) {
            let polled = state.poll_call(position, *kind, &Arc::from("call"), &noop_waker(), NOW);
            assert!(matches!(polled, Polled::Live));
        }
        state
    }

    fn seqs(state: &mut State) -> Vec<(u32, u64)> {
        let changes = state.take_changes().map_or_else(Vec::new, |(changes, _)| changes);
        let seq = |change| match change {
            Change::Checkpoint(it) => Some((it.position, it.seq)),
            _ => None,
        };
        changes.into_iter().filter_map(seq).collect()
    }

    #[test]
    fn nothing_is_delivered_between_the_turn_of_a_transaction_and_its_delivery() {
        let mut state = with_calls(&[StepKind::Transaction, StepKind::Step]);
        state.ask_turn(0, NOW);
        assert!(state.deliver(NOW));
        assert_eq!(state.turn_of(0).map(|it| it.seq), Some(1));
        state.complete(1, Ok(Json::null()), NOW);
        assert!(!state.deliver(NOW), "the step waits behind the transaction");
        let number = state
            .immediate(2, StepKind::Random, &"r".into(), &noop_waker(), NOW, 0, || Made::Outcome(Ok(Json::null())));
        assert!(matches!(number, Polled::Wait), "and so does what needs no work");

        state.begin_commit(0);
        state.note_committed(0);
        state.complete(0, Ok(Json::null()), NOW);
        while state.deliver(NOW) {}
        assert_eq!(seqs(&mut state), [(1, 2), (2, 3)], "the transaction has written its own");
    }

    #[test]
    fn a_turn_that_is_given_back_lets_the_others_go_on() {
        let mut state = with_calls(&[StepKind::Transaction, StepKind::Step]);
        state.ask_turn(0, NOW);
        assert!(state.deliver(NOW));
        state.complete(1, Ok(Json::null()), NOW);
        state.give_back_turn(0);
        assert!(state.deliver(NOW));
        assert_eq!(seqs(&mut state), [(1, 2)]);
        // A transaction that gives up before its turn does not get it later.
        state.ask_turn(0, NOW);
        state.give_back_turn(0);
        assert!(!state.deliver(NOW) && state.turn_of(0).is_none());
    }
}
