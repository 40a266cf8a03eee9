#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub use onward_engine::Skew;
#[cfg(feature = "otlp")]
pub use onward_engine::otlp;
pub use onward_engine::{
    BoxError, BoxFuture, Builder, Client, Clock, Code, Ctx, Data, Error, Filter, Json, OnPanic, Onward, Page, Registry,
    Result, ResultExt, RunId, RunOptions, RunRecord, Status, Tick, Timestamp, Workflow, WorkflowFn, WorkflowHandle,
    Workflows,
};
/// Make an `async fn` a step: call it with the context in front, and its result is recorded once.
pub use onward_macros::step;
/// Make an `async fn` a workflow: start it by its name as a type.
pub use onward_macros::workflow;

/// The types of durable calls, as the methods of [`Ctx`] return them.
pub mod calls {
    pub use onward_engine::{
        All, Append, AwaitEvent, Branch, Call, CancelRun, Cancelled, Child, ChildResult, ChildRun, ContinueWith,
        DEFAULT_STREAM, DurableCall, Either, Either3, Either4, ErrorType, Failure, Hook, OpenHook, Pause, Race, Recv,
        RecvTimeout, Select, Settled, StartChild, Step, StreamWriter, Transaction,
    };
}

/// The types of calls of a [`Client`] and of a [`WorkflowHandle`].
pub mod client {
    pub use onward_engine::{
        Batch, ChangeAll, Changes, DebouncedStart, DeleteAll, DeleteRun, Documents, EnqueueOptions, Export, Fork,
        ForkAll, GetEvent, ListDocuments, ListSteerings, Message, OverrideQueue, Preview, Push, Queue, ReadChunks,
        ReadStream, ResumeHook, Schedule, ScheduleHandle, SendMessage, Start, Steer, SteerAll, SteerFamilies,
        SteerFamily, SteerQueue, SteerSchedule,
    };
}

/// What is read and given as data: records of runs and of what belongs to them, filters, options, limits.
pub mod records {
    pub use onward_engine::{
        Actor, Attempt, Attribution, Blocked, BulkPreview, BulkResult, CatchUp, Change, ChangeCursor, ChangedRun,
        Chunk, ChunkBody, Cursor, Deduplicated, Document, DocumentRecord, Durations, ErrorData, EventRecord,
        ExecutorId, ExecutorRecord, Heartbeat, HeldAt, HookFilter, HookRecord, HookState, Identity, InboxFilter,
        InboxItem, Initiator, MessageFilter, MessageRecord, MessageState, Not, OpenHookRecord, OpenRuns, Origin,
        Overlap, Paging, ParentEnd, PersonRequest, QueueLimit, QueueLimits, QueueOverride, QueueRecord, QueueWait,
        Range, Rate, Reason, ReasonKind, Refusal, Refused, Resumed, Retention, Retry, RunKey, SYSTEM_PREFIX,
        ScheduleRecord, Schemas, Sent, SortBy, StatusCounts, Steered, Steering, SteeringAction, SteeringRecord,
        StepFilter, StepKind, StepRecord, StepSchemas, StepState, StreamRecord, Taken, VersionRecord, Wait, WaitFor,
        WaitsFor, Window, WorkflowCount, WorkflowRecord,
    };
}

/// What the body of [`Ctx::transaction`] works with.
pub mod sql {
    pub use onward_engine::{FromSqlValue, SqlParams, SqlRow, SqlTx, SqlValue};
}

/// Encoding of payloads on their way to the database, mostly to encrypt them.
pub mod codec {
    pub use onward_engine::{Codec, Encoded, Payload};
}

/// What an executor measures, and what is wrong with it.
pub mod metrics {
    pub use onward_engine::{
        Health, Histogram, JournalCounts, Metrics, QueueMetrics, StepMetrics, Trouble, WorkflowMetrics,
    };
}

/// What most files need: `use onward::prelude::*;`.
pub mod prelude {
    pub use onward_engine::{
        BoxError, Client, Ctx, Data, Either, Either3, Either4, Error, Onward, Result, ResultExt, Status, Timestamp,
        Workflow, WorkflowHandle,
    };

    pub use crate::{days, hours, millis, mins, secs};
}

#[cfg(feature = "schema")]
#[doc(hidden)]
pub mod schema;

use std::time::Duration;

/// The guides, so that what they show compiles and runs.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/guides/steps.md")]
    mod steps {}
    #[doc = include_str!("../../../docs/guides/compile-errors.md")]
    mod compile_errors {}
    #[doc = include_str!("../../../docs/guides/managing.md")]
    mod managing {}
    #[doc = include_str!("../../../docs/guides/changing-code.md")]
    mod changing_code {}
    #[doc = include_str!("../../../docs/guides/by-name.md")]
    mod by_name {}
    #[doc = include_str!("../../../docs/guides/encryption.md")]
    mod encryption {}
    #[doc = include_str!("../../../docs/guides/observability.md")]
    mod observability {}
    #[doc = include_str!("../../../docs/guides/agent-loop.md")]
    mod agent_loop {}
    #[doc = include_str!("../../../docs/guides/failing-runs.md")]
    mod failing_runs {}
    #[doc = include_str!("../../../docs/guides/saga.md")]
    mod saga {}
    #[doc = include_str!("../../../docs/guides/approval.md")]
    mod approval {}
    #[doc = include_str!("../../../docs/guides/progress.md")]
    mod progress {}
    #[doc = include_str!("../../../docs/guides/long-steps.md")]
    mod long_steps {}
    #[doc = include_str!("../../../docs/guides/fan-out.md")]
    mod fan_out {}
    #[doc = include_str!("../../../docs/guides/changes.md")]
    mod changes {}
    #[doc = include_str!("../../../docs/guides/queues.md")]
    mod queues {}
    #[doc = include_str!("../../../docs/guides/production.md")]
    mod production {}
    #[doc = include_str!("../../../docs/guides/schedules.md")]
    mod schedules {}
    #[doc = include_str!("../../../docs/guides/transactions.md")]
    mod transactions {}
}

/// So many days of 24 hours.
#[must_use]
pub const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// So many hours.
#[must_use]
pub const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

/// So many minutes.
#[must_use]
pub const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// So many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many milliseconds.
#[must_use]
pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What the macros expand to. Not for people.
#[doc(hidden)]
pub mod __private {
    use std::future::Future;
    use std::marker::PhantomData;

    use onward_engine::{BoxError, BoxFuture, Error, ErrorType, Failure, Result};

    #[cfg(feature = "schema")]
    pub use crate::schema;

    /// A workflow under way.
    pub type Running<T> = BoxFuture<'static, Result<T>>;

    /// The result of a workflow or a step, whatever alias spells it.
    #[diagnostic::on_unimplemented(message = "`{Self}` is not a `Result`", label = "return a `Result`")]
    pub trait Outcome {
        /// What it gives when all went well.
        type Ok;
    }

    impl<T, E> Outcome for Result<T, E> {
        type Ok = T;
    }

    /// Box a workflow's future, and its error.
    pub fn run<T: 'static, E: Into<BoxError> + 'static>(
        body: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Running<T> {
        Box::pin(async move { body.await.map_err(Into::into) })
    }

    /// The type of the error that a workflow's signature names. Where [`Untyped`] is in scope, the compiler takes `ERRORS` from there
    /// if the type cannot come back typed, and from here if it can.
    pub struct Typed<E>(PhantomData<E>);

    impl<E: Failure> Typed<E> {
        /// Errors of this type.
        pub const ERRORS: ErrorType = ErrorType::of::<E>();
    }

    /// Any error.
    pub trait Untyped {
        /// Whatever its type is.
        const ERRORS: ErrorType = ErrorType::any();
    }

    impl<E> Untyped for Typed<E> {}

    /// Retry after errors of the declared type for which the function returns `true`, and after all others. That of a step without
    /// a declared type decides about every [`Error`].
    pub fn retry_if<E: Failure>(is_transient: fn(&E) -> bool) -> impl Fn(&Error) -> bool + Send {
        move |error| error.downcast_ref().is_none_or(is_transient)
    }

    /// Give a step's body the error that every step has.
    pub async fn boxed<T, E: Into<BoxError>>(body: impl Future<Output = Result<T, E>>) -> Result<T> {
        body.await.map_err(Into::into)
    }
}
