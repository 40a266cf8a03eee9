//! How a step proceeds, attempt by attempt: it waits for its turn, runs its body, and decides what follows from the result.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{AttemptChange, Clock, Progress, WaitKind, add};
use onward_types::{Code, Error, Heartbeat, Json, Result, StepKind, Timestamp, guarded};

use super::attempt::{Running, panicked};
use super::heartbeat::Heartbeats;
use super::{Body, Policy, kept, may_begin};
use crate::calls::Drive;
use crate::executor::run::core::Home;
use crate::executor::run::retry::pause;
use crate::executor::run::state::{Idle, Outcome};
use crate::future::BoxFuture;
use crate::mocks::MockedAttempt;
use crate::places::Place;
use crate::scope::{self, InStep};
use crate::told::Told;

/// A pause of this length or longer is a wait row, so that the run can be parked meanwhile. A shorter one is recorded with the failed
/// attempt.
const WAIT_ROW_FROM: Duration = Duration::from_secs(1);

pub(super) enum Phase<'a> {
    /// Not started in this process.
    New,
    /// Waits until every change up to this one is durable.
    Barrier {
        upto: u64,
        place: Option<Place>,
    },
    /// Waits for a place: as many bodies run as may.
    Queued {
        upto: u64,
        place: BoxFuture<'static, Place>,
    },
    Running(Running<'a>),
    Backoff(BoxFuture<'static, ()>),
}

/// A step in progress, with its parts borrowed.
pub(super) struct Polling<'w, 'a> {
    pub(super) drive: &'w Drive,
    pub(super) body: &'w Body<'a>,
    pub(super) policy: &'w Policy<'a>,
    pub(super) phase: &'w mut Phase<'a>,
    pub(super) attempt: &'w mut u32,
    pub(super) failed: &'w mut u32,
    pub(super) progress: &'w mut Option<Box<Progress>>,
}

impl<'a> Polling<'_, 'a> {
    /// Advances by one phase; returns the outcome once there is one.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let core = &self.drive.core;
        match self.phase {
            Phase::New => *self.phase = self.first(),
            Phase::Barrier { upto, place } => {
                if !may_begin(core, cx) || !core.is_durable(*upto, cx.waker()) {
                    return Poll::Pending;
                }
                let (upto, mut place) = (*upto, place.take());
                if let (None, Some(executor)) = (&place, core.executor()) {
                    place = executor.places.try_take();
                    if place.is_none() {
                        *self.phase = Phase::Queued { upto, place: executor.places.take() };
                        return Poll::Ready(None);
                    }
                }
                onward_store::crash::point("step.started");
                if let (Some(schemas), Home::Executor { executor, .. }) = (self.policy.schemas, &core.home) {
                    executor.learn(&core.about, schemas);
                }
                *self.phase = Phase::Running(self.begin(place));
            }
            Phase::Queued { upto, place } => {
                let Poll::Ready(place) = place.as_mut().poll(cx) else { return Poll::Pending };
                *self.phase = Phase::Barrier { upto: *upto, place: Some(place) };
            }
            Phase::Running(running) => {
                let Poll::Ready(result) = running.poll(cx, self.drive, self.policy) else { return Poll::Pending };
                let announced = running.announced || running.scope.told.has_streams();
                let (row, notes) = (running.row(self.drive), running.scope.told.take_notes());
                onward_store::crash::point("step.returned");
                return self.judge(result, notes, row, announced);
            }
            Phase::Backoff(pause) => {
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                core.with_state(|state| {
                    state.close_wait(self.drive.position);
                    state.set_idle(self.drive.position, Idle::No);
                });
                *self.phase = self.barrier();
            }
        }
        Poll::Ready(None)
    }

    /// The first phase of the step in this process, given what was recorded before a crash.
    fn first(&mut self) -> Phase<'a> {
        let position = self.drive.position;
        let (tried, wait) = self.drive.core.with_state(|state| (state.take_tried(position), state.take_wait(position)));
        *self.attempt = tried.last;
        *self.failed = tried.failed;
        *self.progress = tried.progress.map(Box::new);
        let clock = self.drive.core.clock();
        match (wait, tried.retry_at) {
            (Some(WaitKind::Retry(due_at)), _) => self.pause_until(due_at),
            (_, Some(due_at)) if due_at > clock.now() => pause_briefly(clock, due_at),
            _ => self.barrier(),
        }
    }

    /// Waits until everything before is durable. A recovered run first records the attempt that it is about to start: if that
    /// attempt kills the process again, the next owner knows which run it was.
    fn barrier(&self) -> Phase<'a> {
        let core = &self.drive.core;
        // Once the run has recorded something under this owner, a crash is no evidence against it.
        if core.about.recovered && !core.with_state(|state| state.has_recorded()) {
            let attempt = self.next_row(core.clock().now());
            core.with_state(|state| state.attempt(attempt));
        }
        Phase::Barrier { upto: core.with_state(|state| state.made()), place: None }
    }

    fn pause_until(&self, due_at: Timestamp) -> Phase<'a> {
        let core = &self.drive.core;
        core.with_state(|state| state.set_idle(self.drive.position, Idle::Until(Some(due_at))));
        let clock = core.clock().clone();
        Phase::Backoff(Box::pin(async move { clock.sleep_until(due_at).await }))
    }

    fn begin(&mut self, place: Option<Place>) -> Running<'a> {
        let core = &self.drive.core;
        *self.attempt += 1;
        if let Some(executor) = core.executor() {
            executor.counters.step_attempts.one();
        }
        core.with_state(|state| state.set_works(self.drive.position, true));
        let key = format!("{}:{}", core.about.key.0.simple(), self.drive.position);
        let scope = InStep {
            kind: self.drive.kind,
            name: self.drive.name.clone(),
            position: self.drive.position,
            attempt: *self.attempt,
            told: Arc::new(Told::new(place, self.progress.as_ref().map(|it| it.value.clone()))),
            idempotency_key: key.as_str().into(),
        };
        let (step, position, attempt) = (&*self.drive.name, self.drive.position, *self.attempt);
        let span = tracing::info_span!(target: "onward::step", "onward.step", step, position, attempt);
        let mut stand_in = false;
        let make = || match self.stand_in() {
            Some(body) => {
                stand_in = true;
                body
            }
            None => (self.body)(),
        };
        let body = guarded(|| span.in_scope(|| scope::in_step(&scope, make)));
        let body = body.unwrap_or_else(|said| {
            let error = panicked(&said);
            Box::pin(async move { Err(error.into()) })
        });
        // A transaction says so itself, because it also waits between its tries.
        let waits = stand_in || self.drive.kind == StepKind::Transaction;
        let started_at = core.clock().now();
        Running {
            body: Some(body),
            scope,
            span,
            started_at,
            timeout: None,
            announce: None,
            announced: core.about.recovered,
            heartbeats: self.policy.heartbeat_timeout.map(|_| Box::new(Heartbeats::new(core.clock()))),
            failures: *self.failed,
            carried: self.carried_by(*self.attempt).map(Box::new),
            _busy: if waits { None } else { core.clock().busy() },
        }
    }

    /// The last heartbeat, if this attempt replaces the one that sent it: later attempts still need it.
    fn carried_by(&self, attempt: u32) -> Option<Heartbeat> {
        let last = self.progress.as_ref().filter(|last| kept::dropped_by(attempt) == Some(last.attempt))?;
        Some(Heartbeat { at: last.at, progress: last.value.clone().ok()? })
    }

    /// What a test gave to run in place of the body.
    fn stand_in(&self) -> Option<BoxFuture<'a, Result<Json>>> {
        let core = &self.drive.core;
        let mocks = core.executor()?.options.mocks.0.as_ref()?;
        mocks.stand_in(MockedAttempt {
            run: core.about.id.clone(),
            workflow: core.about.workflow.clone(),
            step: self.drive.name.clone(),
            attempt: *self.attempt,
        })
    }

    /// Decides what follows from the result of an attempt: the step's outcome, or another attempt. `Pending`: the run is held.
    fn judge(
        &mut self,
        result: Result<Json>,
        notes: Option<Json>,
        row: AttemptChange,
        announced: bool,
    ) -> Poll<Option<Outcome>> {
        let core = &self.drive.core;
        let now = core.clock().now();
        core.with_state(|state| state.set_works(self.drive.position, false));
        let name = &*self.drive.name;
        let counted = core.counted().map(|of| of.step(name));
        if let Some(counted) = &counted {
            counted.note_attempt(now.duration_since(row.started_at).unsigned_abs(), result.is_ok());
        }
        let logged = core.executor().map(|executor| (&executor.story, core.about.named()));
        let row = AttemptChange { finished_at: Some(now), ..row };
        let error = match result {
            Ok(output) => {
                self.end(announced.then_some(row), notes);
                if let Some(counted) = counted {
                    counted.succeeded.one();
                }
                if let Some((story, of)) = logged {
                    story.step_succeeded(of, name, *self.attempt, *self.failed);
                }
                return Poll::Ready(Some(Ok(output)));
            }
            // Its `Display`, `Serialize` and `Drop` are user code.
            Err(error) => guarded(|| self.policy.errors.record(error).unwrap_or_else(|refused| refused))
                .unwrap_or_else(|said| panicked(&said)),
        };
        *self.failed += 1;
        let row = AttemptChange { error: Some(error.to_json()), failures: *self.failed, ..row };
        self.keep_progress(&row);
        match self.may_retry(&error) {
            Ok(true) => {
                let due_at = self.back_off(now, AttemptChange { notes, ..row });
                if let (Some((story, of)), Some(due_at)) = (logged, due_at) {
                    story.attempt_failed(of, name, *self.attempt, &error, due_at);
                }
                Poll::Ready(None)
            }
            Ok(false) => {
                self.end(Some(row), notes);
                if let Some(counted) = counted {
                    counted.failed.one();
                }
                if let Some((story, of)) = logged {
                    story.step_failed(of, name, *self.attempt, &error);
                }
                Poll::Ready(Some(Err(error)))
            }
            Err(why) => {
                core.with_state(|state| {
                    state.attempt(AttemptChange { notes, ..row });
                    state.halt(why);
                });
                Poll::Pending
            }
        }
    }

    /// Keeps the end of the attempt whose result is that of the step, and its notes.
    fn end(&self, attempt: Option<AttemptChange>, notes: Option<Json>) {
        self.drive.core.with_state(|state| {
            if let Some(attempt) = attempt {
                state.end_attempt(attempt);
            }
            state.put_notes(self.drive.position, notes);
        });
    }

    /// Whether the step may be tried again after this error. `Err`: the retry condition, which is user code, panicked.
    fn may_retry(&self, error: &Error) -> Result<bool, Error> {
        if *self.failed >= self.policy.attempts || error.is_fatal() {
            return Ok(false);
        }
        let Some(retry_if) = &self.policy.retry_if else { return Ok(true) };
        // A clone, because what the condition decodes of the error is dropped with it, and that drop is user code too.
        match guarded(|| retry_if(&error.clone())) {
            Ok(retry) => Ok(retry),
            Err(_) if self.drive.core.is_detached() => Ok(false),
            Err(said) => {
                let name = &self.drive.name;
                let message =
                    format!("the retry condition of step `{name}` panicked: {said}. Fix the code, then resume the run");
                Err(Error::new(Code::Panicked, message))
            }
        }
    }

    /// The next attempts get the heartbeat in the row of this one.
    fn keep_progress(&mut self, row: &AttemptChange) {
        if let Some(Heartbeat { at, progress }) = &row.heartbeat {
            let progress = Progress { attempt: row.attempt, at: *at, value: Ok(progress.clone()) };
            *self.progress = Some(Box::new(progress));
        }
    }

    /// Records the failed attempt, and waits before the next one. Returns when it begins; in a detached context it begins at once.
    fn back_off(&mut self, now: Timestamp, row: AttemptChange) -> Option<Timestamp> {
        let core = &self.drive.core;
        if core.is_detached() {
            *self.phase = Phase::Barrier { upto: 0, place: None };
            return None;
        }
        let pause = pause(&self.policy.backoff, *self.failed);
        let due_at = add(now, pause);
        if pause < WAIT_ROW_FROM {
            core.with_state(|state| state.attempt(AttemptChange { retry_at: Some(due_at), ..row }));
            *self.phase = pause_briefly(core.clock(), due_at);
            return Some(due_at);
        }
        core.with_state(|state| {
            state.attempt(row);
            state.open_wait(self.drive.position, &self.drive.name, WaitKind::Retry(due_at), now);
        });
        *self.phase = self.pause_until(due_at);
        Some(due_at)
    }

    /// The row of the attempt that is about to begin.
    fn next_row(&self, started_at: Timestamp) -> AttemptChange {
        let Drive { position, name, .. } = self.drive;
        let attempt = *self.attempt + 1;
        AttemptChange {
            position: *position,
            attempt,
            name: name.clone(),
            started_at,
            finished_at: None,
            error: None,
            notes: None,
            failures: *self.failed,
            retry_at: None,
            heartbeat: self.carried_by(attempt),
            drops: kept::dropped_by(attempt),
        }
    }
}

/// A pause during which the run stays in memory.
fn pause_briefly<'a>(clock: &Clock, due_at: Timestamp) -> Phase<'a> {
    let clock = clock.clone();
    Phase::Backoff(Box::pin(async move { clock.sleep_until(due_at).await }))
}
