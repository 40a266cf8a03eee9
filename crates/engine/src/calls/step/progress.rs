//! How a step proceeds, attempt by attempt: it waits for its turn, runs its body, and decides what follows from the result.

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{AttemptChange, WaitKind, add};
use onward_types::{Code, Error, Json, Result, StepKind, Timestamp, guarded};

use super::attempt::{Running, panicked};
use super::{Body, Policy, may_begin};
use crate::calls::Drive;
use crate::executor::run::core::Home;
use crate::executor::run::state::{Idle, Outcome};
use crate::future::BoxFuture;
use crate::mocks::MockedAttempt;
use crate::scope::{self, InStep};

/// A backoff longer than this is a wait row, so that the run can be parked meanwhile.
const WAIT_ROW_FROM: Duration = Duration::from_secs(1);

pub(super) enum Phase<'a> {
    /// Not started in this process.
    New,
    /// Waits until every change up to this one is durable.
    Barrier(u64),
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
}

impl<'a> Polling<'_, 'a> {
    /// Advances by one phase; returns the outcome once there is one.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let core = &self.drive.core;
        match self.phase {
            Phase::New => *self.phase = self.first(),
            Phase::Barrier(upto) => {
                if !may_begin(core, cx) || !core.is_durable(*upto, cx.waker()) {
                    return Poll::Pending;
                }
                onward_store::crash::point("step.started");
                if let (Some(schemas), Home::Executor { executor, .. }) = (self.policy.schemas, &core.home) {
                    executor.learn(&core.about, schemas);
                }
                *self.phase = Phase::Running(self.begin());
            }
            Phase::Running(running) => {
                let Poll::Ready(result) = running.poll(cx, self.drive, self.policy) else { return Poll::Pending };
                let announced = running.announced || running.scope.told.has_streams();
                let (started_at, notes) = (running.started_at, running.scope.told.take_notes());
                onward_store::crash::point("step.returned");
                return self.judge(result, notes, started_at, announced);
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
        match wait {
            Some(WaitKind::Retry(due_at)) => self.pause_until(due_at),
            _ => self.barrier(),
        }
    }

    /// Waits until everything before is durable. A recovered run first records the attempt that it is about to start: if that
    /// attempt kills the process again, the next owner knows which run it was.
    fn barrier(&self) -> Phase<'a> {
        let core = &self.drive.core;
        // Once the run has recorded something under this owner, a crash is no evidence against it.
        if core.about.recovered && !core.with_state(|state| state.has_recorded()) {
            let attempt = self.attempt_row(*self.attempt + 1, core.clock().now(), None);
            core.with_state(|state| state.attempt(attempt));
        }
        Phase::Barrier(core.with_state(|state| state.made()))
    }

    fn pause_until(&self, due_at: Timestamp) -> Phase<'a> {
        let core = &self.drive.core;
        core.with_state(|state| state.set_idle(self.drive.position, Idle::Until(Some(due_at))));
        let clock = core.clock().clone();
        Phase::Backoff(Box::pin(async move { clock.sleep_until(due_at).await }))
    }

    fn begin(&mut self) -> Running<'a> {
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
            told: Arc::default(),
            idempotency_key: key.as_str().into(),
        };
        let name = &*self.drive.name;
        let span =
            tracing::info_span!("onward.step", step = name, position = self.drive.position, attempt = *self.attempt);
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
            _busy: if waits { None } else { core.clock().busy() },
        }
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
        started_at: Timestamp,
        announced: bool,
    ) -> Poll<Option<Outcome>> {
        let core = &self.drive.core;
        let now = core.clock().now();
        core.with_state(|state| state.set_works(self.drive.position, false));
        let counters = core.executor().map(|executor| &executor.counters);
        if let Some(counters) = counters {
            counters.step_seconds.note_time(now.duration_since(started_at).unsigned_abs());
        }
        let ended =
            |error| AttemptChange { finished_at: Some(now), ..self.attempt_row(*self.attempt, started_at, error) };
        let error = match result {
            Ok(output) => {
                self.end(announced.then(|| ended(None)), notes);
                if let Some(counters) = counters {
                    counters.steps_succeeded.one();
                }
                return Poll::Ready(Some(Ok(output)));
            }
            // Its `Display`, `Serialize` and `Drop` are user code.
            Err(error) => guarded(|| (self.policy.typed)(error)).unwrap_or_else(|said| panicked(&said)),
        };
        let row = ended(Some(error.to_json()));
        *self.failed += 1;
        match self.may_retry(&error) {
            Ok(true) => {
                if !core.is_detached() {
                    core.with_state(|state| state.attempt(AttemptChange { notes, ..row }));
                }
                *self.phase = self.back_off(now);
                Poll::Ready(None)
            }
            Ok(false) => {
                self.end(Some(row), notes);
                if let Some(counters) = counters {
                    counters.steps_failed.one();
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
        match guarded(|| retry_if(error)) {
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

    fn back_off(&self, now: Timestamp) -> Phase<'a> {
        let core = &self.drive.core;
        if core.is_detached() {
            return Phase::Barrier(0);
        }
        let pause = pause(&self.policy.backoff, *self.failed);
        let due_at = add(now, pause);
        if pause < WAIT_ROW_FROM {
            let clock = core.clock().clone();
            return Phase::Backoff(Box::pin(async move { clock.sleep_until(due_at).await }));
        }
        core.with_state(|state| state.open_wait(self.drive.position, &self.drive.name, WaitKind::Retry(due_at), now));
        self.pause_until(due_at)
    }

    fn attempt_row(&self, attempt: u32, started_at: Timestamp, error: Option<Json>) -> AttemptChange {
        let Drive { position, name, .. } = self.drive;
        let (position, name) = (*position, name.clone());
        AttemptChange { position, attempt, name, started_at, finished_at: None, error, notes: None }
    }
}

/// The pause after this many failures: doubled each time, capped, and half of it random.
fn pause(backoff: &Range<Duration>, failed: u32) -> Duration {
    let doubled = backoff.start.saturating_mul(1 << (failed.saturating_sub(1)).min(30));
    let most = doubled.min(backoff.end.max(backoff.start));
    let chance = (crate::random::number() % 1_000) as f64 / 1_000.0;
    most.mul_f64(0.5 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_cap_and_half_of_it_is_chance() {
        let backoff = Duration::from_secs(1)..Duration::from_secs(60);
        for (failed, most) in [(1, 1), (2, 2), (4, 8), (7, 60), (4000, 60)] {
            let pause = pause(&backoff, failed).as_secs_f64();
            let most = f64::from(most);
            assert!(pause >= most * 0.5 - 1e-6 && pause <= most + 1e-6, "{failed}: {pause}");
        }
    }
}
