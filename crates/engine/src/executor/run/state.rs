//! The state of a run in memory: its history, its calls, and its changes that are not durable yet.
//!
//! Here is what a run consists of; the files beside it decide, and wait for nothing. Completions are delivered one at a time, in
//! the order of their `seq`, live and on replay, and everything the workflow does between two deliveries is determined by them.
//! That is why `join!`, `select` and loops replay identically.

mod ahead;
mod attempts;
mod calls;
mod changes;
mod delivery;
mod family;
mod halt;
mod immediate;
mod messages;
mod patches;
mod pause;
mod turn;
mod waits;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use onward_store::{AttemptChange, Change, History, OpenWait, Recorded, Tried};
use onward_types::{Error, Json, StepKind, Timestamp};

use super::inbox::Inbox;
use super::tails::{Said, Tails};
use ahead::Large;
use attempts::Noted;
pub(crate) use family::CHILDREN;
use family::Family;
use immediate::Immediate;
use messages::Receiver;
pub(crate) use messages::{Candidate, Takes};
pub(crate) use patches::PATCHES;
pub(crate) use pause::Pausing;
pub(crate) use turn::Granted;
use turn::Turn;

/// What a call resolves to.
pub(crate) type Outcome = Result<Json, Error>;

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
    /// It never goes live: its history is only compared with the code.
    rehearsed: bool,
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
    /// What becomes of children that this generation started, or of those of earlier ones, when the run ends.
    family: Family,
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
        state.family = Family::of(history);
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

    /// As [`replaying`](State::replaying), but nothing begins that is not recorded.
    pub(crate) fn rehearsing(history: &mut History) -> State {
        State { live: false, rehearsed: true, ..State::replaying(history) }
    }

    pub(crate) fn fresh() -> State {
        State { next_seq: 1, live: true, ..State::default() }
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
}
