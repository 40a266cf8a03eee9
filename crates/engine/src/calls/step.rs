//! `ctx.step`: a unit of work whose result is recorded once.
//!
//! The body begins when every earlier change of the run is durable and the executor has a place for it, and runs on the workflow's
//! own task. An attempt that fails, is still running after 100 ms or sends a heartbeat is a row in `attempts`; only a result is a
//! checkpoint.

mod attempt;
mod heartbeat;
mod kept;
mod progress;

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::Progress;
use onward_types::{Error, ErrorType, Failure, Json, Result, StepKind, StepSchemas};

use super::{Drive, durable_call};
use crate::data::Data;
use crate::executor::run::core::{Home, RunCore};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;
use crate::future::BoxFuture;
use progress::{Phase, Polling};

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
    /// The last heartbeat that is recorded, of any attempt.
    progress: Option<Box<Progress>>,
}

type RetryIf<'a> = Box<dyn Fn(&Error) -> bool + Send + 'a>;

struct Policy<'a> {
    attempts: u32,
    backoff: Range<Duration>,
    timeout: Option<Duration>,
    heartbeat_timeout: Option<Duration>,
    retry_if: Option<RetryIf<'a>>,
    errors: ErrorType,
    /// What the executor publishes of the step, made when it is first executed.
    schemas: Option<fn() -> StepSchemas>,
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
            heartbeat_timeout: None,
            retry_if: None,
            errors: ErrorType::any(),
            schemas: None,
        };
        let call = StepCall { drive, body, policy, phase: Phase::New, attempt: 0, failed: 0, progress: None };
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

    /// The longest time without a [heartbeat](Ctx::heartbeat): an attempt that sends none for this long is dropped and counts as
    /// failed, with `timed_out`. It counts from the beginning of the attempt, and from each heartbeat. Without it, a step need not
    /// send heartbeats.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// # async fn convert(page: u32) -> Result<()> { Ok(()) }
    /// async fn book(ctx: &Ctx, pages: u32) -> Result<u32> {
    ///     let converted = ctx.step("convert", async || {
    ///         let done: u32 = ctx.last_heartbeat()?.unwrap_or(0); // of an attempt that failed, or was lost with its executor
    ///         for page in done..pages {
    ///             convert(page).await?;
    ///             ctx.heartbeat(page + 1)?;
    ///         }
    ///         Ok(pages)
    ///     });
    ///     Ok(converted.attempts(5).heartbeat_timeout(Duration::from_secs(30)).await?)
    /// }
    /// # #[tokio::main] async fn main() { assert_eq!(book(&Ctx::detached(), 3).await.unwrap(), 3); }
    /// ```
    pub fn heartbeat_timeout(mut self, limit: Duration) -> Self {
        self.call.policy.heartbeat_timeout = Some(limit);
        self
    }

    /// Retry only after errors for which this returns `true`. [`Error::downcast_ref`] looks at a typed error. An error that was
    /// marked as [fatal](Error::fatal) is not retried in any case.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # #[derive(Debug, serde::Serialize, serde::Deserialize)] struct Declined { by: String, for_good: bool }
    /// # impl std::fmt::Display for Declined {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "declined by {}", self.by) }
    /// # }
    /// # impl std::error::Error for Declined {}
    /// async fn charge(ctx: &Ctx) -> Result<String> {
    ///     let body = async || Err::<u32, _>(Declined { by: "the bank".into(), for_good: true }.into());
    ///     let charged = ctx.step("charge", body).attempts(5).errors::<Declined>();
    ///     // Whatever else happens, such as a timeout, is retried.
    ///     let charged = charged.retry_if(|error| error.downcast_ref().is_none_or(|declined: &Declined| !declined.for_good));
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
        self.call.policy.errors = ErrorType::of::<E>();
        self
    }

    /// The JSON Schemas of the step's arguments and output, which the executor publishes when a workflow first executes the step:
    /// see [`VersionRecord::steps`](crate::VersionRecord::steps). With the cargo feature `schema`, `#[onward::step]` gives them for the
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
        let StepCall { drive, body, policy, phase, attempt, failed, progress } = self;
        let polled = drive.poll(cx, |drive, cx| {
            let mut polling = Polling { drive, body, policy, phase, attempt, failed, progress };
            loop {
                match polling.advance(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => {}
                    Poll::Ready(Some(outcome)) => return Poll::Ready(outcome),
                }
            }
        });
        match polled {
            Poll::Ready(Err(error)) => match policy.errors.check(&error) {
                Err((why, _)) if !drive.core.is_detached() => drive.hold(&why),
                _ => Poll::Ready(Err(error)),
            },
            polled => polled,
        }
    }
}

/// Whether a body may start: its executor holds its lease, and has not taken another seat since it got the run.
pub(crate) fn may_begin(core: &RunCore, cx: &Context<'_>) -> bool {
    let Home::Executor { executor, journal } = &core.home else { return true };
    executor.gate.is_open(cx.waker()) && !journal.is_closed()
}
