//! Executes Onward runs: context, durable calls, replay, handles, client and background tasks.
//!
//! Start reading at `context.rs`, then `calls/step.rs`, then `executor/run/state/`, where replay is decided.

mod calls;
mod cancelled;
mod client;
mod context;
mod cron;
mod data;
mod executor;
mod future;
mod metrics;
#[doc(hidden)]
pub mod mocks;
mod onward;
#[cfg(feature = "otlp")]
pub mod otlp;
mod places;
mod plan;
mod random;
mod scope;
mod states;
mod story;
mod sync;
mod tasks;
mod told;
mod trouble;
mod workflow;
mod workflow_fn;

pub use crate::calls::all::{All, Settled};
pub use crate::calls::branch::Branch;
pub use crate::calls::call::Call;
pub use crate::calls::child::{Child, ChildResult, ChildRun, StartChild};
pub use crate::calls::continues::ContinueWith;
pub use crate::calls::event::AwaitEvent;
pub use crate::calls::hook::{Hook, OpenHook};
pub use crate::calls::inside::CancelRun;
pub use crate::calls::pause::Pause;
pub use crate::calls::recv::{Recv, RecvTimeout};
pub use crate::calls::select::{DurableCall, Either, Either3, Either4, Race, Select};
pub use crate::calls::step::Step;
pub use crate::calls::stream::{Append, DEFAULT_STREAM, StreamWriter};
pub use crate::calls::transaction::Transaction;
pub use crate::cancelled::Cancelled;
pub use crate::client::Client;
pub use crate::client::batch::{Batch, Push};
pub use crate::client::changes::Changes;
pub use crate::client::debounce::DebouncedStart;
pub use crate::client::documents::{Documents, ListDocuments};
pub use crate::client::enqueue::EnqueueOptions;
pub use crate::client::event::GetEvent;
pub use crate::client::export::Export;
pub use crate::client::fork::Fork;
pub use crate::client::fork_all::ForkAll;
pub use crate::client::handle::WorkflowHandle;
pub use crate::client::hook::ResumeHook;
pub use crate::client::pause::{SteerQueue, SteerSchedule};
pub use crate::client::queue::Queue;
pub use crate::client::queue_override::OverrideQueue;
pub use crate::client::schedule::{Schedule, ScheduleHandle};
pub use crate::client::send::{Message, SendMessage};
pub use crate::client::start::Start;
pub use crate::client::steer::{DeleteRun, Steer, SteerFamily};
pub use crate::client::steer_all::{ChangeAll, DeleteAll, Preview, SteerAll, SteerFamilies};
pub use crate::client::steerings::ListSteerings;
pub use crate::client::stream::{ReadChunks, ReadStream};
pub use crate::data::Data;
pub use crate::executor::registry::{OnPanic, Registry};
pub use crate::executor::run::ctx::Ctx;
pub use crate::future::BoxFuture;
pub use crate::metrics::{Metrics, QueueMetrics, StepMetrics, WorkflowMetrics};
#[doc(hidden)]
pub use crate::onward::rehearse::{Rehearsal, Replayed, Verdict};
pub use crate::onward::{Builder, Onward};
pub use crate::trouble::Trouble;
pub use crate::workflow::{Workflow, Workflows};
pub use crate::workflow_fn::WorkflowFn;
#[doc(hidden)]
pub use onward_store::Skew;
pub use onward_store::{
    Clock, Codec, Encoded, FromSqlValue, Health, Histogram, JournalCounts, Payload, SqlParams, SqlRow, SqlTx, SqlValue,
};
pub use onward_types::{
    Actor, Attempt, Attribution, Blocked, BoxError, BulkPreview, BulkResult, Change, ChangeCursor, ChangedRun, Chunk,
    ChunkBody, Code, Cursor, Deduplicated, Document, DocumentRecord, Durations, Error, ErrorData, ErrorType,
    EventRecord, ExecutorId, ExecutorRecord, Failure, Filter, Heartbeat, HeldAt, HookFilter, HookRecord, HookState,
    Identity, InboxFilter, InboxItem, Initiator, Json, MessageFilter, MessageRecord, MessageState, Not, OpenHookRecord,
    OpenRuns, Origin, Page, Paging, ParentEnd, PersonRequest, QueueLimit, QueueLimits, QueueOverride, QueueRecord,
    QueueWait, Range, Rate, Reason, ReasonKind, Refusal, Refused, Result, ResultExt, Resumed, Retry, RunId, RunKey,
    RunOptions, RunRecord, SYSTEM_PREFIX, Schemas, Sent, SortBy, Status, StatusCounts, Steered, Steering,
    SteeringAction, SteeringRecord, StepFilter, StepKind, StepRecord, StepSchemas, StepState, StreamRecord, Taken,
    Timestamp, VersionRecord, Wait, WaitFor, WaitsFor, Window, WorkflowCount, WorkflowRecord,
};
pub use onward_types::{CatchUp, Overlap, Retention, ScheduleRecord, Tick};
