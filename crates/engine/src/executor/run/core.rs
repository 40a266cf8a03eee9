//! A run, as its calls, the journal and the executor share it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use onward_store::{
    Change, Clock, Created, Entry, History, Journal, Leave, LeaveHow, Message, NewRun, Origin, Outcome,
};
use onward_types::{Error, Json, RunKey, Status, StepKind, Timestamp, from_micros, micros};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::about::About;
use super::creations::{Creations, NewChild};
use super::end::{End, EndSlot};
use super::leaving::{Leaving, Stop};
use super::pace::Pace;
use super::state::State;
use crate::cancelled::Canceller;
use crate::executor::Executor;
use crate::future::BoxFuture;
use crate::metrics::OfWorkflow;
use crate::states::States;
use crate::sync::lock;

/// One run in the memory of one executor.
pub(crate) struct RunCore {
    pub(crate) about: About,
    /// Whether it was claimed instead of created here.
    pub(crate) was_claimed: bool,
    pub(crate) home: Home,
    pub(crate) end: Arc<EndSlot>,
    pub(crate) canceller: Canceller,
    /// Woken when the run has to be polled.
    pub(crate) task: AtomicWaker,
    state: Mutex<State>,
    /// The creations of the run and of its children, while they are not answered.
    pub(crate) creations: Creations,
    /// How it leaves memory.
    pub(crate) leaving: Leaving,
    /// How far it is ahead of what is durable.
    pub(crate) pace: Pace,
    /// The latest time that the workflow was given, in microseconds.
    latest: AtomicI64,
    input: Mutex<Option<Json>>,
    /// Since when the run only waits; `replay_took` is the duration of its last replay.
    pub(crate) idle_since: Mutex<Option<Timestamp>>,
    pub(crate) replay_took: Mutex<Duration>,
    replaying: Mutex<Option<Replaying>>,
    /// Where its steps and its end are counted.
    counted: OnceLock<Arc<OfWorkflow>>,
}

/// A replay in progress: its start, and its permit.
pub(crate) struct Replaying {
    since: Instant,
    _place: OwnedSemaphorePermit,
}

/// Where a run is executed.
pub(crate) enum Home {
    /// In an executor.
    Executor { executor: Arc<Executor>, journal: Journal },
    /// Nowhere: in a detached context.
    Detached { clock: Clock, states: Arc<States> },
    /// Nowhere: its history is replayed to see whether the code matches, and nothing begins that is not recorded.
    Rehearsal { clock: Clock, states: Arc<States> },
}

impl RunCore {
    /// A run that this executor is creating.
    pub(crate) fn fresh(run: &NewRun, home: Home, starter: Option<oneshot::Sender<Created>>) -> Arc<RunCore> {
        RunCore::new(About::of_new(run), run.input.clone(), State::fresh(), home, starter)
    }

    /// A claimed run. It keeps its replay permit until it has been replayed.
    pub(crate) fn claimed(mut history: History, home: Home, place: OwnedSemaphorePermit) -> Arc<RunCore> {
        let latest = latest_time(&history);
        let state = State::replaying(&mut history);
        let about = About::take_from(&mut history);
        let core = RunCore::new(about, history.input, state, home, None);
        core.latest.store(latest, Ordering::SeqCst);
        *lock(&core.replaying) = Some(Replaying { since: onward_store::real_time::now(), _place: place });
        core
    }

    /// A run whose history is replayed and does not go on.
    pub(crate) fn rehearsed(mut history: History, clock: Clock, states: Arc<States>) -> Arc<RunCore> {
        let latest = latest_time(&history);
        let state = State::rehearsing(&mut history);
        let about = About::take_from(&mut history);
        let core = RunCore::new(about, history.input, state, Home::Rehearsal { clock, states }, None);
        core.latest.store(latest, Ordering::SeqCst);
        core
    }

    /// The run has nothing more to deliver: if it was being replayed, the replay is complete.
    pub(crate) fn note_replayed(&self) {
        if let Some(replaying) = lock(&self.replaying).take() {
            *lock(&self.replay_took) = replaying.since.elapsed();
        }
    }

    /// A claimed run of which only the key is known.
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
            creations: Creations::new(starter),
            leaving: Leaving::default(),
            pace: Pace::default(),
            input: Mutex::new(Some(input)),
            idle_since: Mutex::default(),
            replay_took: Mutex::default(),
            replaying: Mutex::default(),
            counted: OnceLock::new(),
        })
    }

    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Accesses the state of the run under its lock.
    pub(crate) fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state())
    }

    /// Holds the run instead of recording an outcome: it leaves at the next poll of its task.
    pub(crate) fn halt(&self, why: Error) {
        self.state().halt(why);
    }

    pub(crate) fn clock(&self) -> &Clock {
        match &self.home {
            Home::Executor { executor, .. } => executor.store.clock(),
            Home::Detached { clock, .. } | Home::Rehearsal { clock, .. } => clock,
        }
    }

    /// The time for the workflow. It never goes back, whatever the clocks of the run's owners say.
    pub(crate) fn time(&self) -> Timestamp {
        let now = micros(self.clock().now());
        from_micros(self.latest.fetch_max(now, Ordering::SeqCst).max(now))
    }

    pub(crate) fn states(&self) -> &States {
        match &self.home {
            Home::Executor { executor, .. } => &executor.states,
            Home::Detached { states, .. } | Home::Rehearsal { states, .. } => states,
        }
    }

    pub(crate) fn executor(&self) -> Option<&Arc<Executor>> {
        match &self.home {
            Home::Executor { executor, .. } => Some(executor),
            Home::Detached { .. } | Home::Rehearsal { .. } => None,
        }
    }

    /// The counters of its workflow; `None` in a detached context.
    pub(crate) fn counted(&self) -> Option<&OfWorkflow> {
        let executor = self.executor()?;
        Some(self.counted.get_or_init(|| executor.counters.series.of(&self.about.workflow)))
    }

    pub(crate) fn is_detached(&self) -> bool {
        matches!(self.home, Home::Detached { .. })
    }

    /// The span of the run while it is in memory. A claimed run is marked as replayed.
    pub(crate) fn span(&self) -> tracing::Span {
        let span = tracing::info_span!(
            target: "onward::run",
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

    /// The input, once: the start of the workflow decodes it, and it is not needed after that.
    pub(crate) fn take_input(&self) -> Option<Json> {
        lock(&self.input).take()
    }

    // Journal.

    /// Submits the changes made since the last call to the journal.
    pub(crate) fn flush(self: &Arc<Self>) {
        let Home::Executor { journal, .. } = &self.home else { return };
        let taken = self.state().take_changes();
        if let Some((changes, upto)) = taken {
            journal.submit(Entry { run: self.about.key, origin: self.clone(), changes, upto });
        }
    }

    /// Whether every change up to this one is durable; if not, `waker` is woken when it is.
    pub(crate) fn is_durable(&self, upto: u64, waker: &Waker) -> bool {
        if self.is_detached() || self.pace.durable() >= upto {
            return true;
        }
        self.state().wait_durable(upto, waker);
        // It may have become durable between the check and the registration.
        self.pace.durable() >= upto
    }

    /// Whether the run is so far ahead of what is durable that it should wait; then its next commit wakes it.
    pub(crate) fn is_ahead(&self) -> bool {
        let ahead = || self.state().due() > self.pace.durable();
        if !matches!(self.home, Home::Executor { .. }) || !ahead() {
            return false;
        }
        self.pace.hold_back();
        // Check again: the commit that would have woken the run may have come in between.
        ahead()
    }

    /// Waits until the journal has capacity, if it has none.
    pub(crate) fn room(&self) -> Option<BoxFuture<'static, ()>> {
        let Home::Executor { journal, .. } = &self.home else { return None };
        if journal.has_capacity() {
            return None;
        }
        let journal = journal.clone();
        Some(Box::pin(async move { journal.capacity().await }))
    }

    /// Delivers messages that were read for the run, by topic and after a message number. When the read began, the first
    /// `durable` changes of the run were durable.
    pub(crate) fn receive(&self, read: &[(Arc<str>, i64)], messages: Vec<Message>, durable: u64) {
        self.state().put_messages(read, messages, durable);
        self.task.wake();
    }

    /// The steps whose bodies run, as the log names them.
    pub(crate) fn working_steps(&self) -> Vec<String> {
        self.state().working().iter().map(|(_, step)| format!("{step} of {}", self.about.id)).collect()
    }

    // Leaving.

    /// Requests that the run leaves memory.
    pub(crate) fn stop(&self, why: Stop) {
        self.leaving.ask(why, &self.canceller);
        self.task.wake();
    }

    /// Makes the last change: the run leaves this executor.
    pub(crate) fn leave(self: &Arc<Self>, how: LeaveHow) {
        let at = self.clock().now();
        {
            // Under one lock: otherwise the commit of an earlier change could be taken for the commit of the leave.
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

    /// Whether its last change was made and is not durable yet.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is(|_| true)
    }

    /// Whether the run has left this memory, or will have as soon as its last change is known to be durable. Then a new claim
    /// of the run may replace it.
    pub(crate) fn has_left(&self) -> bool {
        let is_fenced = matches!(&self.home, Home::Executor { journal, .. } if journal.is_closed());
        is_fenced || self.leaving.has_begun()
    }

    /// Whether its last change releases it after it was revoked.
    pub(crate) fn is_releasing_revoked(&self) -> bool {
        self.leaving.is(|how| matches!(how, LeaveHow::LetGo))
    }

    /// Whether its last change holds it. A run that pauses itself is not held yet if the database rejects that.
    pub(crate) fn is_being_held(&self) -> bool {
        self.leaving.is(|how| matches!(how, LeaveHow::Held { by: None, .. }))
    }

    // Children.

    /// Registers a child whose creation was just added to the changes of this run.
    pub(crate) fn expect_child(&self, child: Arc<RunCore>, position: u32) {
        let Some(executor) = self.executor() else { return };
        let expected = executor.residents.expect(&[child.about.key]);
        self.creations.expect(child, position, expected);
    }
}

impl Origin for RunCore {
    fn committed(&self, upto: u64) {
        self.pace.advance(upto);
        let (past, left, progressed, said) = {
            let mut state = self.state();
            let left = if upto >= state.made() { self.leaving.take() } else { None };
            (state.past_barrier(upto), left, state.has_progressed(upto), state.take_unannounced(upto))
        };
        if said && let Some(executor) = self.executor() {
            executor.waiters.notify_watchers(self.about.key);
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
        if self.pace.take_held_back() {
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
            if let Some(starter) = self.creations.take_starter() {
                executor.creation_answered(self, &created);
                if let Some(starter) = starter {
                    // The caller may be gone; the run exists.
                    starter.send(created).ok();
                }
            }
            return;
        }
        let (child, asked) = self.creations.take_child(run);
        if let Created::Waiting(queue) = &created {
            // No other part of this process knows about the child.
            executor.ring_queue(queue);
        }
        match (&created, child) {
            (Created::New, Some(NewChild { child, .. })) => executor.execute_child(child),
            (Created::Existing(existing), Some(NewChild { position, .. })) if asked.is_none() => {
                // The id of this child was generated, so only an unrelated run can have taken it.
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

/// The end of a run that left, for callers in this process that wait for it.
pub(crate) fn end_of(how: &LeaveHow) -> End {
    let ended = |status, output, error| {
        End::Ended(Arc::new(Outcome { status, said: None, output, error, unreadable: None, cancelled_with: None }))
    };
    match how {
        LeaveHow::Finished(Ok(output)) => ended(Status::Succeeded, Some(output.clone()), None),
        LeaveHow::Finished(Err(error)) => ended(Status::Failed, None, Some(error.clone())),
        LeaveHow::Parked { .. }
        | LeaveHow::Held { .. }
        | LeaveHow::Continued { .. }
        | LeaveHow::Retried(_)
        | LeaveHow::Released
        | LeaveHow::LetGo => End::Elsewhere,
    }
}
