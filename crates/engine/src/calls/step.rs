//! `ctx.step`: a unit of work whose result is recorded once.
//!
//! The body begins when every earlier change of the run is durable, and runs on the workflow's own task. An attempt that fails,
//! or that is still running after 100 ms, is a row in `attempts`; only a result is a checkpoint.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{AttemptChange, Clock, WaitKind, add};
use onward_types::{BoxError, Code, Error, Json, Result, StepKind, StepSchemas, Timestamp, guarded};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Span;

use super::{Drive, durable_call};
use crate::data::Data;
use crate::executor::run::core::{Home, RunCore};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Idle, Outcome};
use crate::future::BoxFuture;
use crate::scope::{self, InStep};

/// An attempt that is still running after this long gets a row, so that people see it.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(100);
/// A backoff longer than this is a wait row, so that the run can be parked meanwhile.
const WAIT_ROW_FROM: Duration = Duration::from_secs(1);

/// An error type that can be recorded and read back as the same type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come back typed",
    label = "not a recordable error",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or return `onward::Result<T>`, which takes any error"
)]
pub trait Failure: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static> Failure for E {}

/// A step. Made by [`Ctx::step`], or by calling a function with `#[onward::step]`.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Step<'a, T> {
    call: StepCall<'a>,
    output: PhantomData<fn() -> T>,
}

impl<T> Unpin for Step<'_, T> {}

pub(super) type Body<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<Json>> + Send + 'a>;

struct StepCall<'a> {
    drive: Drive,
    body: Body<'a>,
    policy: Policy<'a>,
    phase: Phase<'a>,
    /// The number of the attempt, from 1.
    attempt: u32,
    failed: u32,
}

type RetryIf<'a> = Box<dyn Fn(&Error) -> bool + Send + 'a>;

struct Policy<'a> {
    attempts: u32,
    backoff: Range<Duration>,
    timeout: Option<Duration>,
    retry_if: Option<RetryIf<'a>>,
    typed: fn(BoxError) -> Error,
    /// Whether a recorded error of the declared type can be decoded as that type.
    readable: fn(&Error) -> Result<(), Error>,
    /// What the executor publishes of the step, made when it is first executed.
    schemas: Option<fn() -> StepSchemas>,
}

enum Phase<'a> {
    /// Not started in this process.
    New,
    /// Waits until every change up to this one is durable.
    Barrier(u64),
    Running(Running<'a>),
    Backoff(BoxFuture<'static, ()>),
}

struct Running<'a> {
    /// `None` once it was dropped because of its timeout.
    body: Option<BoxFuture<'a, Result<Json>>>,
    scope: InStep,
    /// Entered on every poll of the body.
    span: Span,
    started_at: Timestamp,
    timeout: Option<BoxFuture<'static, ()>>,
    announce: Option<BoxFuture<'static, ()>>,
    announced: bool,
}

impl<'a, T: Data> Step<'a, T> {
    pub(crate) fn new<F, Fut>(ctx: &'a Ctx, label: impl AsRef<str>, body: F) -> Step<'a, T>
    where
        F: Fn() -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        let body: Body<'a> = Box::new(move || {
            let work = body();
            Box::pin(async move { Ok(crate::data::encode("output", &work.await?)?) })
        });
        Step::of(Drive::new(ctx, StepKind::Step, label), body)
    }

    pub(super) fn of(drive: Drive, body: Body<'a>) -> Step<'a, T> {
        let policy = Policy {
            attempts: 1,
            backoff: Duration::from_secs(1)..Duration::from_secs(60),
            timeout: None,
            retry_if: None,
            typed: Error::from_box,
            readable: |_| Ok(()),
            schemas: None,
        };
        let call = StepCall { drive, body, policy, phase: Phase::New, attempt: 0, failed: 0 };
        Step { call, output: PhantomData }
    }

    /// The maximum number of attempts before the step fails; 0 counts as 1. The default is 1. A panic is a failed attempt. A
    /// value that cannot be recorded is not retried.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.call.policy.attempts = attempts.max(1);
        self
    }

    /// The pause between two attempts: the first and the longest one. It doubles in between, and half of it is random, so that
    /// many runs do not retry at the same time. The default is 1 s to 60 s.
    pub fn backoff(mut self, backoff: Range<Duration>) -> Self {
        self.call.policy.backoff = backoff;
        self
    }

    /// The time limit of one attempt. When it passes, the attempt is dropped and counts as failed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call.policy.timeout = Some(timeout);
        self
    }

    /// Retry only after errors for which this returns `true`.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # #[derive(Debug, serde::Serialize, serde::Deserialize)] struct Declined { by: String }
    /// # impl std::fmt::Display for Declined {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "declined by {}", self.by) }
    /// # }
    /// # impl std::error::Error for Declined {}
    /// async fn charge(ctx: &Ctx) -> Result<String> {
    ///     let body = async || Err::<u32, _>(Declined { by: "the bank".into() }.into());
    ///     let charged = ctx.step("charge", body).attempts(5).errors::<Declined>().retry_if(|error| !error.is::<Declined>());
    ///     match charged.await {
    ///         Ok(cents) => Ok(format!("paid {cents}")),
    ///         Err(error) => Ok(format!("ask {}", error.downcast::<Declined>()?.by)), // the same on a replay
    ///     }
    /// }
    /// # #[tokio::main] async fn main() { assert_eq!(charge(&Ctx::detached()).await.unwrap(), "ask the bank"); }
    /// ```
    pub fn retry_if(mut self, retry_if: impl Fn(&Error) -> bool + Send + 'a) -> Self {
        self.call.policy.retry_if = Some(Box::new(retry_if));
        self
    }

    /// Record errors of this type so that [`Error::downcast`] returns them, live and on replay.
    pub fn errors<E: Failure>(mut self) -> Self {
        self.call.policy.typed = Error::typed::<E>;
        self.call.policy.readable = |error| error.read_as::<E>().map(drop).map_err(|(why, _)| why);
        self
    }

    /// The JSON Schemas of the step's arguments and output, which the executor publishes when a workflow first executes the step:
    /// see [`VersionInfo::steps`](crate::VersionInfo::steps). With the cargo feature `schema`, `#[onward::step]` gives them for the
    /// types that implement `schemars::JsonSchema`.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Json, Result, Schemas, StepSchemas};
    /// async fn size(ctx: &Ctx) -> Result<u64> {
    ///     let size = ctx.step("size", async || Ok(17)).schemas(|| {
    ///         let output = Some(Json::from(r#"{"type":"integer"}"#.to_owned()));
    ///         StepSchemas { name: "size".to_owned(), schemas: Schemas { input: None, output } }
    ///     });
    ///     Ok(size.await?)
    /// }
    /// ```
    pub fn schemas(mut self, schemas: fn() -> StepSchemas) -> Self {
        self.call.policy.schemas = Some(schemas);
        self
    }

    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.call.poll(cx)
    }

    pub(super) fn drive(&mut self) -> Option<&mut Drive> {
        Some(&mut self.call.drive)
    }
}

durable_call!(Step<'_, T> => poll_step);

impl<'a> StepCall<'a> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let StepCall { drive, body, policy, phase, attempt, failed } = self;
        let polled = drive.poll(cx, |drive, cx| {
            let mut polling = Polling { drive, body, policy, phase, attempt, failed };
            loop {
                match polling.advance(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => {}
                    Poll::Ready(Some(outcome)) => return Poll::Ready(outcome),
                }
            }
        });
        match polled {
            Poll::Ready(Err(error)) => match (policy.readable)(&error) {
                Err(why) if !drive.core.is_detached() => drive.hold(&why),
                _ => Poll::Ready(Err(error)),
            },
            polled => polled,
        }
    }
}

/// A step in progress, with its parts borrowed.
struct Polling<'w, 'a> {
    drive: &'w Drive,
    body: &'w Body<'a>,
    policy: &'w Policy<'a>,
    phase: &'w mut Phase<'a>,
    attempt: &'w mut u32,
    failed: &'w mut u32,
}

impl<'a> Polling<'_, 'a> {
    /// Advances by one phase; returns the outcome once there is one.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
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
        let body = guarded(|| span.in_scope(|| scope::in_step(&scope, || (self.body)())));
        let body = body.unwrap_or_else(|said| {
            let error = panicked(&said);
            Box::pin(async move { Err(error.into()) })
        });
        let started_at = core.clock().now();
        Running {
            body: Some(body),
            scope,
            span,
            started_at,
            timeout: None,
            announce: None,
            announced: core.about.recovered,
        }
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
        let error = match result {
            Ok(output) => {
                if announced {
                    let ended =
                        AttemptChange { finished_at: Some(now), ..self.attempt_row(*self.attempt, started_at, None) };
                    core.with_state(|state| state.end_attempt(ended));
                }
                core.with_state(|state| state.put_notes(self.drive.position, notes));
                if let Some(counters) = counters {
                    counters.steps_succeeded.one();
                }
                return Poll::Ready(Some(Ok(output)));
            }
            // Its `Display`, `Serialize` and `Drop` are user code.
            Err(error) => guarded(|| (self.policy.typed)(error)).unwrap_or_else(|said| panicked(&said)),
        };
        *self.failed += 1;
        let row = self.attempt_row(*self.attempt, started_at, Some(error.to_json()));
        let row = AttemptChange { finished_at: Some(now), ..row };
        let may_retry = *self.failed < self.policy.attempts && !error.is_fatal();
        let retry = match self.policy.retry_if.as_ref().filter(|_| may_retry) {
            None => may_retry,
            Some(retry_if) => match guarded(|| retry_if(&error)) {
                Ok(retry) => retry,
                Err(_) if core.is_detached() => false,
                Err(said) => {
                    let name = &self.drive.name;
                    let message = format!(
                        "the retry condition of step `{name}` panicked: {said}. Fix the code, then resume the run"
                    );
                    core.with_state(|state| {
                        state.attempt(AttemptChange { notes, ..row });
                        state.halt(Error::new(Code::Panicked, message));
                    });
                    return Poll::Pending;
                }
            },
        };
        if !retry {
            core.with_state(|state| {
                state.end_attempt(row);
                state.put_notes(self.drive.position, notes);
            });
            if let Some(counters) = counters {
                counters.steps_failed.one();
            }
            return Poll::Ready(Some(Err(error)));
        }
        if !core.is_detached() {
            core.with_state(|state| state.attempt(AttemptChange { notes, ..row }));
        }
        *self.phase = self.back_off(now);
        Poll::Ready(None)
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

impl Running<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, drive: &Drive, policy: &Policy<'_>) -> Poll<Result<Json>> {
        let Some(body) = self.body.as_mut() else { return Poll::Pending };
        let Running { scope, span, .. } = self;
        let polled = guarded(|| span.in_scope(|| scope::in_step(scope, || body.as_mut().poll(cx))));
        let done = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(result)) => Some(result),
            Err(said) => Some(Err(panicked(&said).into())),
        };
        if let Some(result) = done {
            self.drop_body(drive);
            return Poll::Ready(result);
        }
        if drive.core.is_detached() {
            return Poll::Pending;
        }
        if let Some(limit) = policy.timeout {
            let clock = drive.core.clock();
            let timeout = self.timeout.get_or_insert_with(|| timer(clock, limit));
            // A transaction that is committing cannot be abandoned any more: it may already be committed.
            let commits = drive.core.with_state(|state| state.is_committing(drive.position));
            if !commits && timeout.as_mut().poll(cx).is_ready() {
                self.drop_body(drive);
                let message = format!("step `{}` timed out after {limit:?}", drive.name);
                return Poll::Ready(Err(Error::new(Code::TimedOut, message).into()));
            }
        }
        self.announce(cx, drive);
        Poll::Pending
    }

    /// Records that the attempt is still running, once it has run for a while or has appended to a stream.
    fn announce(&mut self, cx: &mut Context<'_>, drive: &Drive) {
        if self.announced {
            return;
        }
        let clock = drive.core.clock();
        let announce = self.announce.get_or_insert_with(|| timer(clock, ANNOUNCE_AFTER));
        if announce.as_mut().poll(cx).is_ready() || self.scope.told.has_streams() {
            self.announced = true;
            drive.core.with_state(|state| {
                state.attempt(AttemptChange {
                    position: drive.position,
                    attempt: self.scope.attempt,
                    name: drive.name.clone(),
                    started_at: self.started_at,
                    finished_at: None,
                    error: None,
                    notes: None,
                })
            });
        }
    }

    fn drop_body(&mut self, drive: &Drive) {
        let body = self.body.take();
        if let Err(said) = guarded(|| drop(body)) {
            tracing::warn!(step = %drive.name, said, "dropping the body of a step panicked");
        }
    }
}

/// Whether a body may start: its executor holds its lease, and has not taken another seat since it got the run.
pub(crate) fn may_begin(core: &RunCore, cx: &Context<'_>) -> bool {
    let Home::Executor { executor, journal } = &core.home else { return true };
    executor.gate.is_open(cx.waker()) && !journal.is_closed()
}

fn timer(clock: &Clock, after: Duration) -> BoxFuture<'static, ()> {
    let clock = clock.clone();
    Box::pin(async move { clock.sleep(after).await })
}

fn panicked(said: &str) -> Error {
    Error::new(Code::Panicked, format!("the step panicked: {said}"))
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
