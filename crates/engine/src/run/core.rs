//! A run as its calls, the journal and the executor share it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use onward_store::{
    Change, Clock, Created, Entry, History, Journal, Leave, LeaveHow, Message, NewRun, Origin, Outcome, Stray,
};
use onward_types::{Error, Json, RunId, RunKey, Status, StepKind, Timestamp, from_micros, micros};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::end::{End, EndSlot};
use super::state::{self, State};
use crate::cancelled::Canceller;
use crate::executor::{Executor, Expected};
use crate::states::States;
use crate::workflow::BoxFuture;

/// One run in the memory of one executor.
pub(crate) struct RunCore {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) version: String,
    pub(crate) owners: u32,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) parent: Option<RunKey>,
    /// The trace that it is a part of.
    pub(crate) traceparent: Option<String>,
    /// Whether it was recovered from a dead executor without having made progress since.
    pub(crate) suspect: bool,
    pub(crate) recovered: bool,
    /// The queue with limits of which it has a slot.
    pub(crate) slot: Option<Arc<str>>,
    /// Whether it was claimed, instead of created here.
    pub(crate) was_claimed: bool,
    pub(crate) home: Home,
    pub(crate) end: Arc<EndSlot>,
    pub(crate) canceller: Canceller,
    /// Woken when the run has to be polled.
    pub(crate) task: AtomicWaker,
    state: Mutex<State>,
    stop: Mutex<Option<Stop>>,
    /// How many of its changes are durable.
    durable: AtomicU64,
    /// Whether the run waits for the journal before it goes on.
    held_back: AtomicBool,
    /// How it is about to leave: its last change is on its way.
    leaving: Mutex<Option<LeaveHow>>,
    /// The latest time that the workflow was given, in microseconds.
    latest: AtomicI64,
    /// Whether its last change is durable: its row may be another executor's by now.
    gone: AtomicBool,
    /// Whether the executor is about to let go of it.
    letting_go: AtomicBool,
    starter: Mutex<Starter>,
    /// Children whose creation is on its way.
    newborn: Mutex<Vec<Newborn>>,
    /// Children that an earlier life of the run created and of which it recorded nothing, once they were looked for.
    pub(crate) strays: OnceLock<Box<[Stray]>>,
    inputs: Mutex<Option<Json>>,
    asked: Mutex<Vec<(RunKey, oneshot::Sender<Created>)>>,
    /// What calls that were dropped are still doing to the database.
    left_behind: Mutex<Vec<BoxFuture<'static, state::Outcome>>>,
    /// When the run last went to sleep, and how long its last replay took.
    pub(crate) idle_since: Mutex<Option<Timestamp>>,
    pub(crate) replay_took: Mutex<Duration>,
    replaying: Mutex<Option<Replaying>>,
}

/// A child whose creation is on its way.
struct Newborn {
    child: Arc<RunCore>,
    /// Where it was started.
    position: u32,
    /// Nobody takes it for a lost one while the answer is under way.
    _expected: Expected,
}

/// Who is told what comes of the creation of a run.
enum Starter {
    /// It is created.
    Nobody,
    /// This one.
    Waits(oneshot::Sender<Created>),
    /// It took too long for whoever started it. The run is created all the same.
    WentAway,
}

impl Starter {
    fn take(&mut self) -> Option<Option<oneshot::Sender<Created>>> {
        match std::mem::replace(self, Starter::Nobody) {
            Starter::Nobody => None,
            Starter::Waits(starter) => Some(Some(starter)),
            Starter::WentAway => Some(None),
        }
    }
}

/// A replay under way: since when, and its place among those that may be.
pub(crate) struct Replaying {
    since: Instant,
    _place: OwnedSemaphorePermit,
}

/// What a run is part of.
pub(crate) enum Home {
    /// An executor.
    Executor { executor: Arc<Executor>, journal: Journal },
    /// Nothing: a unit test.
    Detached { clock: Clock, states: Arc<States> },
}

/// Why a run is to leave.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// It was steered by somebody else: let go of it.
    Revoked,
    /// Its executor lost its fence: forget it.
    Fenced,
    /// It only waits: park it.
    Park,
    /// The executor shuts down: release it once no body runs.
    Release,
    /// The executor shuts down, and time is up.
    ReleaseNow,
    /// No database takes what it made.
    Rejected(Error),
}

/// What is known of a run when it comes into memory.
pub(crate) struct Coming {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) version: String,
    pub(crate) input: Json,
    pub(crate) owners: u32,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) parent: Option<RunKey>,
    pub(crate) traceparent: Option<String>,
    pub(crate) suspect: bool,
    pub(crate) recovered: bool,
    pub(crate) slot: Option<Arc<str>>,
}

impl RunCore {
    /// A run that is being created here.
    pub(crate) fn fresh(run: &NewRun, home: Home, starter: Option<oneshot::Sender<Created>>) -> Arc<RunCore> {
        let coming = Coming {
            key: run.key,
            id: run.id.clone(),
            workflow: run.workflow.clone(),
            version: run.version.clone(),
            input: run.input.clone(),
            owners: 1,
            deadline: run.deadline_at_start(),
            parent: run.parent.map(|(key, _)| key),
            traceparent: run.identity.as_ref().and_then(|identity| identity.traceparent.clone()),
            suspect: false,
            recovered: false,
            slot: None,
        };
        RunCore::new(coming, State::fresh(), home, starter)
    }

    /// A run that was claimed. It keeps its place among the replays until it has been replayed.
    pub(crate) fn claimed(mut history: History, home: Home, place: OwnedSemaphorePermit) -> Arc<RunCore> {
        let latest = latest_time(&history);
        let state = State::replaying(&mut history);
        let coming = Coming {
            key: history.key,
            id: history.id,
            workflow: history.workflow,
            version: history.version,
            input: history.input,
            owners: history.owners,
            deadline: history.deadline,
            parent: history.parent,
            traceparent: history.traceparent,
            suspect: history.recoveries >= onward_store::SUSPECT_AFTER,
            recovered: history.recovered,
            slot: history.slot,
        };
        let core = RunCore::new(coming, state, home, None);
        core.latest.store(latest, Ordering::SeqCst);
        *lock(&core.replaying) = Some(Replaying { since: Instant::now(), _place: place });
        core
    }

    /// The run has nothing more to deliver: if it was replayed, that is over now.
    pub(crate) fn note_replayed(&self) {
        if let Some(replaying) = lock(&self.replaying).take() {
            *lock(&self.replay_took) = replaying.since.elapsed();
        }
    }

    /// A run that was claimed and that nothing else is known of.
    pub(crate) fn unreadable(key: RunKey, home: Home) -> Arc<RunCore> {
        let coming = Coming {
            key,
            id: RunId::of_key(key),
            workflow: String::new(),
            version: String::new(),
            input: Json::null(),
            owners: 1,
            deadline: None,
            parent: None,
            traceparent: None,
            suspect: false,
            recovered: false,
            slot: None,
        };
        RunCore::new(coming, State::fresh(), home, None)
    }

    pub(crate) fn new(
        coming: Coming,
        state: State,
        home: Home,
        starter: Option<oneshot::Sender<Created>>,
    ) -> Arc<RunCore> {
        Arc::new(RunCore {
            key: coming.key,
            id: coming.id,
            workflow: coming.workflow,
            version: coming.version,
            owners: coming.owners,
            deadline: coming.deadline,
            parent: coming.parent,
            traceparent: coming.traceparent,
            suspect: coming.suspect,
            recovered: coming.recovered,
            slot: coming.slot,
            was_claimed: coming.owners > 1,
            home,
            end: Arc::default(),
            canceller: Canceller::default(),
            task: AtomicWaker::new(),
            state: Mutex::new(state),
            stop: Mutex::default(),
            durable: AtomicU64::new(0),
            held_back: AtomicBool::new(false),
            leaving: Mutex::default(),
            latest: AtomicI64::new(i64::MIN),
            gone: AtomicBool::new(false),
            letting_go: AtomicBool::new(false),
            starter: Mutex::new(starter.map_or(Starter::Nobody, Starter::Waits)),
            newborn: Mutex::default(),
            strays: OnceLock::new(),
            inputs: Mutex::new(Some(coming.input)),
            asked: Mutex::default(),
            left_behind: Mutex::default(),
            idle_since: Mutex::default(),
            replay_took: Mutex::default(),
            replaying: Mutex::default(),
        })
    }

    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn clock(&self) -> &Clock {
        match &self.home {
            Home::Executor { executor, .. } => executor.store.clock(),
            Home::Detached { clock, .. } => clock,
        }
    }

    /// The time, for the workflow: never before one that it was given already, whatever the clocks of its owners say.
    pub(crate) fn time(&self) -> Timestamp {
        let now = micros(self.clock().now());
        from_micros(self.latest.fetch_max(now, Ordering::SeqCst).max(now))
    }

    pub(crate) fn states(&self) -> &States {
        match &self.home {
            Home::Executor { executor, .. } => &executor.states,
            Home::Detached { states, .. } => states,
        }
    }

    pub(crate) fn executor(&self) -> Option<&Arc<Executor>> {
        match &self.home {
            Home::Executor { executor, .. } => Some(executor),
            Home::Detached { .. } => None,
        }
    }

    pub(crate) fn is_detached(&self) -> bool {
        matches!(self.home, Home::Detached { .. })
    }

    /// The span of the run's life in this memory. One that was here or elsewhere before is marked as replayed.
    pub(crate) fn span(&self) -> tracing::Span {
        let span = tracing::info_span!(
            "onward.run",
            run = %self.id,
            workflow = %self.workflow,
            version = %self.version,
            replayed = self.was_claimed,
            recovered = self.recovered,
            traceparent = self.traceparent.as_deref(),
        );
        #[cfg(feature = "otlp")]
        if let Some(traceparent) = &self.traceparent {
            crate::otlp::link(&span, traceparent);
        }
        span
    }

    /// The input, once: replay decodes it, and nobody needs it after that.
    pub(crate) fn take_input(&self) -> Option<Json> {
        lock(&self.inputs).take()
    }

    // The journal.

    /// Hand what was made since the last time to the journal.
    pub(crate) fn flush(self: &Arc<Self>) {
        let Home::Executor { journal, .. } = &self.home else { return };
        let taken = self.state().take_changes();
        if let Some((changes, upto)) = taken {
            journal.submit(Entry { run: self.key, origin: self.clone(), changes, upto });
        }
    }

    /// Whether every change up to this one is durable; if not, wake when it is.
    pub(crate) fn is_durable(&self, upto: u64, waker: &Waker) -> bool {
        if self.is_detached() || self.durable.load(Ordering::SeqCst) >= upto {
            return true;
        }
        self.state().wait_durable(upto, waker);
        // It may have become durable between the look and the registration.
        self.durable.load(Ordering::SeqCst) >= upto
    }

    /// Whether the run has made so much more than is durable that it should wait; its next commit wakes it then.
    pub(crate) fn is_ahead(&self) -> bool {
        let ahead = || self.state().due() > self.durable.load(Ordering::SeqCst);
        if self.is_detached() || !ahead() {
            return false;
        }
        self.held_back.store(true, Ordering::SeqCst);
        // Look again: the commit that would have woken us may have come in between.
        ahead()
    }

    /// Wait until the journal has room, if it has none.
    pub(crate) fn room(&self) -> Option<BoxFuture<'static, ()>> {
        let Home::Executor { journal, .. } = &self.home else { return None };
        if journal.has_capacity() {
            return None;
        }
        let journal = journal.clone();
        Some(Box::pin(async move { journal.capacity().await }))
    }

    /// A call was dropped while it did this to the database. It is brought to its end before any change that the run makes from
    /// now on, among which is the one that undoes it.
    pub(crate) fn leave_behind(&self, doing: BoxFuture<'static, state::Outcome>) {
        lock(&self.left_behind).push(doing);
    }

    /// Bring to its end what dropped calls left behind.
    pub(crate) fn settle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = lock(&self.left_behind);
        left.retain_mut(|doing| doing.as_mut().poll(cx).is_pending());
        if left.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// How many of its changes are durable.
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::SeqCst)
    }

    /// Messages of these topics were read for the run, each after a number, when so many of its changes were durable.
    pub(crate) fn receive(&self, read: &[(Arc<str>, i64)], messages: Vec<Message>, durable: u64) {
        self.state().put_messages(read, messages, durable);
        self.task.wake();
    }

    // Leaving.

    /// Ask the run to leave. What was asked first counts, unless the new reason is stronger.
    pub(crate) fn stop(&self, why: Stop) {
        {
            let mut stop = lock(&self.stop);
            let weight = |stop: &Stop| match stop {
                Stop::Park => 0,
                Stop::Release => 1,
                Stop::ReleaseNow => 2,
                Stop::Rejected(_) => 3,
                Stop::Revoked => 4,
                Stop::Fenced => 5,
            };
            if stop.as_ref().is_none_or(|before| weight(before) < weight(&why)) {
                if matches!(why, Stop::Revoked | Stop::Fenced | Stop::ReleaseNow) {
                    self.canceller.cancel();
                }
                *stop = Some(why);
            }
        }
        self.task.wake();
    }

    pub(crate) fn stopping(&self) -> Option<Stop> {
        lock(&self.stop).clone()
    }

    /// A park that was asked for and is not possible any more.
    pub(crate) fn forget_park(&self) {
        let mut stop = lock(&self.stop);
        if matches!(*stop, Some(Stop::Park)) {
            *stop = None;
        }
    }

    /// Make the last change: the run leaves this executor.
    pub(crate) fn leave(self: &Arc<Self>, how: LeaveHow) {
        let at = self.clock().now();
        {
            // Under one lock, or the commit of what came before could be taken for that of the leave.
            let mut state = self.state();
            state.push(Change::Leave(Leave { at, parent: self.parent, how: how.clone(), slot: self.slot.clone() }));
            *lock(&self.leaving) = Some(how);
        }
        self.flush();
    }

    pub(crate) fn is_leaving(&self) -> bool {
        lock(&self.leaving).is_some()
    }

    /// Whether this life of the run is over, or will be as soon as what is on its way is known to be durable: one that was claimed
    /// meanwhile takes its place.
    pub(crate) fn has_left(&self) -> bool {
        let is_fenced = matches!(&self.home, Home::Executor { journal, .. } if journal.is_closed());
        is_fenced || self.is_leaving() || self.gone.load(Ordering::SeqCst)
    }

    /// Whether its last change says that somebody else's steering took it.
    pub(crate) fn has_let_go(&self) -> bool {
        matches!(*lock(&self.leaving), Some(LeaveHow::LetGo))
    }

    pub(crate) fn is_being_held(&self) -> bool {
        matches!(*lock(&self.leaving), Some(LeaveHow::Held { .. }))
    }

    /// How it leaves, once that is durable.
    fn take_leave(&self) -> Option<LeaveHow> {
        let mut leaving = lock(&self.leaving);
        // Before `leaving` is empty: at every moment one of the two says that it has left.
        self.gone.store(leaving.is_some(), Ordering::SeqCst);
        leaving.take()
    }

    /// Begin to let go of the run, once: the journal may refuse several of its entries.
    pub(crate) fn begin_to_let_go(&self) -> bool {
        !self.letting_go.swap(true, Ordering::SeqCst)
    }

    /// Whether it is not known yet what came of its creation.
    pub(crate) fn is_unborn(&self) -> bool {
        !matches!(*lock(&self.starter), Starter::Nobody)
    }

    /// Whoever started it waits no longer for its creation, which goes on.
    pub(crate) fn send_starter_away(&self) {
        let mut starter = lock(&self.starter);
        if matches!(*starter, Starter::Waits(_)) {
            *starter = Starter::WentAway;
        }
    }

    /// Give up a run whose creation was not accepted. False: it exists.
    pub(crate) fn give_up_birth(&self) -> bool {
        lock(&self.starter).take().is_some()
    }

    // Children.

    /// Remember a child whose creation was just made a change of this run.
    pub(crate) fn expect_child(&self, child: Arc<RunCore>, position: u32) {
        let Some(executor) = self.executor() else { return };
        let _expected = executor.residents.expect(&[child.key]);
        lock(&self.newborn).push(Newborn { child, position, _expected });
    }

    /// Be told what came of the creation of this child.
    pub(crate) fn ask_created(&self, child: RunKey) -> oneshot::Receiver<Created> {
        let (tell, told) = oneshot::channel();
        lock(&self.asked).push((child, tell));
        told
    }
}

impl Origin for RunCore {
    fn committed(&self, upto: u64) {
        self.durable.fetch_max(upto, Ordering::SeqCst);
        let (past, left, progressed, said) = {
            let mut state = self.state();
            let left = if upto >= state.made() { self.take_leave() } else { None };
            (state.past_barrier(upto), left, state.has_progressed(upto), state.take_untold(upto))
        };
        if said && let Some(executor) = self.executor() {
            executor.hub.tell_watchers(self.key);
        }
        if self.suspect
            && progressed
            && let Some(executor) = self.executor()
        {
            executor.clear(self);
        }
        for waker in past {
            waker.wake();
        }
        if self.held_back.swap(false, Ordering::SeqCst) {
            self.task.wake();
        }
        if let (Some(how), Some(executor)) = (left, self.executor()) {
            executor.left(self, how);
        }
    }

    fn refused(&self) {
        if let Some(executor) = self.executor() {
            executor.refused(self);
        }
    }

    fn rejected(&self, error: &Error) {
        if let Some(executor) = self.executor() {
            executor.rejected(self, error);
        }
    }

    fn woke(&self) {
        if let Some(executor) = self.executor() {
            executor.ring_claimers();
        }
    }

    fn created(&self, run: RunKey, created: Created) {
        let Some(executor) = self.executor() else { return };
        if run == self.key {
            let starter = lock(&self.starter).take();
            if let Some(starter) = starter {
                executor.born(self, &created);
                if let Some(starter) = starter {
                    // Whoever started it may have gone away; the run is there.
                    starter.send(created).ok();
                }
            }
            return;
        }
        let child = {
            let mut newborn = lock(&self.newborn);
            newborn.iter().position(|newborn| newborn.child.key == run).map(|at| newborn.swap_remove(at))
        };
        let asked = {
            let mut asked = lock(&self.asked);
            asked.iter().position(|(key, _)| *key == run).map(|at| asked.swap_remove(at).1)
        };
        if let Created::Waiting(queue) = &created {
            // Nobody else in this process knows of it.
            executor.ring_queue(queue);
        }
        match (&created, child) {
            (Created::New, Some(Newborn { child, .. })) => executor.adopt(child),
            (Created::Existing(existing), Some(Newborn { position, .. })) if asked.is_none() => {
                // The id of this child was not chosen by anybody: only a stranger can have taken it.
                if let Some(error) = onward_store::is_stranger(existing, (self.key, position)) {
                    self.stop(Stop::Rejected(error));
                }
            }
            _ => {}
        }
        if let Some(asked) = asked {
            asked.send(created).ok();
        }
    }
}

/// The latest time that a run recorded, in microseconds.
fn latest_time(history: &History) -> i64 {
    let of_time = history.checkpoints.iter().filter(|it| it.kind == StepKind::Now);
    let times = of_time.filter_map(|it| it.result.as_ref().ok()?.decode::<Timestamp>().ok());
    times.map(micros).max().unwrap_or(i64::MIN)
}

/// How a run that left stands, for those who wait for it here.
pub(crate) fn end_of(how: &LeaveHow) -> End {
    let ended = |status, output, error| {
        End::Ended(Arc::new(Outcome { status, said: None, output, error, unreadable: None, cancelled_with: None }))
    };
    match how {
        LeaveHow::Finished(Ok(output)) => ended(Status::Succeeded, Some(output.clone()), None),
        LeaveHow::Finished(Err(error)) => ended(Status::Failed, None, Some(error.clone())),
        LeaveHow::Parked { .. } | LeaveHow::Held { .. } | LeaveHow::Released | LeaveHow::LetGo => End::Elsewhere,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
