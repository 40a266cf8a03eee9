//! A run as its calls, the journal and the executor share it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use onward_store::{
    Change, Clock, Created, Entry, History, Journal, Leave, LeaveHow, Message, NewRun, Origin, Outcome,
};
use onward_types::{Error, Json, RunKey, Status, StepKind, Timestamp, from_micros, micros};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::about::About;
use super::births::{Births, Newborn};
use super::end::{End, EndSlot};
use super::leaving::{Leaving, Stop};
use super::pace::Pace;
use super::state::State;
use crate::cancelled::Canceller;
use crate::executor::Executor;
use crate::future::BoxFuture;
use crate::states::States;
use crate::sync::lock;

/// One run in the memory of one executor.
pub(crate) struct RunCore {
    pub(crate) about: About,
    /// Whether it was claimed, instead of created here.
    pub(crate) was_claimed: bool,
    pub(crate) home: Home,
    pub(crate) end: Arc<EndSlot>,
    pub(crate) canceller: Canceller,
    /// Woken when the run has to be polled.
    pub(crate) task: AtomicWaker,
    state: Mutex<State>,
    /// Its creation and that of its children, while they are not answered.
    pub(crate) births: Births,
    /// How it leaves this memory.
    pub(crate) leaving: Leaving,
    /// How far it is ahead of what is durable.
    pub(crate) pace: Pace,
    /// The latest time that the workflow was given, in microseconds.
    latest: AtomicI64,
    input: Mutex<Option<Json>>,
    /// When the run last went to sleep, and how long its last replay took.
    pub(crate) idle_since: Mutex<Option<Timestamp>>,
    pub(crate) replay_took: Mutex<Duration>,
    replaying: Mutex<Option<Replaying>>,
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

impl RunCore {
    /// A run that is being created here.
    pub(crate) fn fresh(run: &NewRun, home: Home, starter: Option<oneshot::Sender<Created>>) -> Arc<RunCore> {
        RunCore::new(About::of_new(run), run.input.clone(), State::fresh(), home, starter)
    }

    /// A run that was claimed. It keeps its place among the replays until it has been replayed.
    pub(crate) fn claimed(mut history: History, home: Home, place: OwnedSemaphorePermit) -> Arc<RunCore> {
        let latest = latest_time(&history);
        let state = State::replaying(&mut history);
        let about = About::take_from(&mut history);
        let core = RunCore::new(about, history.input, state, home, None);
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
        RunCore::new(About::bare(key), Json::null(), State::fresh(), home, None)
    }

    pub(crate) fn new(
        about: About,
        input: Json,
        state: State,
        home: Home,
        starter: Option<oneshot::Sender<Created>>,
    ) -> Arc<RunCore> {
        Arc::new(RunCore {
            was_claimed: about.owners > 1,
            about,
            home,
            end: Arc::default(),
            canceller: Canceller::default(),
            task: AtomicWaker::new(),
            state: Mutex::new(state),
            latest: AtomicI64::new(i64::MIN),
            births: Births::new(starter),
            leaving: Leaving::default(),
            pace: Pace::default(),
            input: Mutex::new(Some(input)),
            idle_since: Mutex::default(),
            replay_took: Mutex::default(),
            replaying: Mutex::default(),
        })
    }

    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Do something with the state of the run, under its lock.
    pub(crate) fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state())
    }

    /// Hold the run instead of recording an outcome: with the next poll of its task it leaves.
    pub(crate) fn halt(&self, why: Error) {
        self.state().halt(why);
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
            run = %self.about.id,
            workflow = %self.about.workflow,
            version = %self.about.version,
            replayed = self.was_claimed,
            recovered = self.about.recovered,
            traceparent = self.about.traceparent(),
        );
        #[cfg(feature = "otlp")]
        if let Some(traceparent) = self.about.traceparent() {
            crate::otlp::link(&span, traceparent);
        }
        span
    }

    /// The input, once: replay decodes it, and nobody needs it after that.
    pub(crate) fn take_input(&self) -> Option<Json> {
        lock(&self.input).take()
    }

    // The journal.

    /// Hand what was made since the last time to the journal.
    pub(crate) fn flush(self: &Arc<Self>) {
        let Home::Executor { journal, .. } = &self.home else { return };
        let taken = self.state().take_changes();
        if let Some((changes, upto)) = taken {
            journal.submit(Entry { run: self.about.key, origin: self.clone(), changes, upto });
        }
    }

    /// Whether every change up to this one is durable; if not, wake when it is.
    pub(crate) fn is_durable(&self, upto: u64, waker: &Waker) -> bool {
        if self.is_detached() || self.pace.durable() >= upto {
            return true;
        }
        self.state().wait_durable(upto, waker);
        // It may have become durable between the look and the registration.
        self.pace.durable() >= upto
    }

    /// Whether the run has made so much more than is durable that it should wait; its next commit wakes it then.
    pub(crate) fn is_ahead(&self) -> bool {
        let ahead = || self.state().due() > self.pace.durable();
        if self.is_detached() || !ahead() {
            return false;
        }
        self.pace.hold_back();
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

    /// Messages of these topics were read for the run, each after a number, when so many of its changes were durable.
    pub(crate) fn receive(&self, read: &[(Arc<str>, i64)], messages: Vec<Message>, durable: u64) {
        self.state().put_messages(read, messages, durable);
        self.task.wake();
    }

    // Leaving.

    /// Ask the run to leave.
    pub(crate) fn stop(&self, why: Stop) {
        if self.leaving.ask(why) {
            self.canceller.cancel();
        }
        self.task.wake();
    }

    /// Make the last change: the run leaves this executor.
    pub(crate) fn leave(self: &Arc<Self>, how: LeaveHow) {
        let at = self.clock().now();
        {
            // Under one lock, or the commit of what came before could be taken for that of the leave.
            let mut state = self.state();
            state.push(Change::Leave(Leave {
                at,
                parent: self.about.parent,
                how: how.clone(),
                slot: self.about.slot.clone(),
            }));
            self.leaving.begin(how);
        }
        self.flush();
    }

    /// Whether its last change is on its way.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is(|_| true)
    }

    /// Whether this life of the run is over, or will be as soon as what is on its way is known to be durable: one that was claimed
    /// meanwhile takes its place.
    pub(crate) fn has_left(&self) -> bool {
        let is_fenced = matches!(&self.home, Home::Executor { journal, .. } if journal.is_closed());
        is_fenced || self.leaving.has_begun()
    }

    /// Whether its last change releases it because a steering call took it away.
    pub(crate) fn is_let_go(&self) -> bool {
        self.leaving.is(|how| matches!(how, LeaveHow::LetGo))
    }

    pub(crate) fn is_being_held(&self) -> bool {
        self.leaving.is(|how| matches!(how, LeaveHow::Held { .. }))
    }

    // Children.

    /// Remember a child whose creation was just made a change of this run.
    pub(crate) fn expect_child(&self, child: Arc<RunCore>, position: u32) {
        let Some(executor) = self.executor() else { return };
        let expected = executor.residents.expect(&[child.about.key]);
        self.births.expect(child, position, expected);
    }
}

impl Origin for RunCore {
    fn committed(&self, upto: u64) {
        self.pace.advance(upto);
        let (past, left, progressed, said) = {
            let mut state = self.state();
            let left = if upto >= state.made() { self.leaving.take() } else { None };
            (state.past_barrier(upto), left, state.has_progressed(upto), state.take_untold(upto))
        };
        if said && let Some(executor) = self.executor() {
            executor.hub.tell_watchers(self.about.key);
        }
        if self.about.suspect
            && progressed
            && let Some(executor) = self.executor()
        {
            executor.clear(self);
        }
        for waker in past {
            waker.wake();
        }
        if self.pace.let_on() {
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
        if run == self.about.key {
            if let Some(starter) = self.births.take_starter() {
                executor.born(self, &created);
                if let Some(starter) = starter {
                    // The caller may have gone away; the run is there.
                    starter.send(created).ok();
                }
            }
            return;
        }
        let (child, asked) = self.births.take_child(run);
        if let Created::Waiting(queue) = &created {
            // Nobody else in this process knows of it.
            executor.ring_queue(queue);
        }
        match (&created, child) {
            (Created::New, Some(Newborn { child, .. })) => executor.adopt(child),
            (Created::Existing(existing), Some(Newborn { position, .. })) if asked.is_none() => {
                // The id of this child was not chosen by anybody: only a stranger can have taken it.
                if let Some(error) = onward_store::is_stranger(existing, (self.about.key, position)) {
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
