//! The data types of Onward: ids, the life cycle, records and errors.
//!
//! Nothing here reads a clock, a socket or a database. Every other crate of Onward uses these types, and their names are the same
//! in SQL, in URLs and on the command line.

mod change;
mod checked;
mod cursor;
mod dedup;
mod document;
mod error;
mod form;
mod guarded;
mod held;
mod hook;
mod id;
mod inbox;
mod message;
mod name;
mod options;
mod parent_end;
mod person;
mod queue;
mod reason;
mod record;
mod retention;
mod retry;
mod schedule;
mod status;
mod steered;
mod steering;
mod taken;
mod time;
mod topic;
mod trace;
mod tree;
mod version;
mod wait;
pub mod wire;

pub use change::{Change, ChangeCursor, ChangedRun};
pub use cursor::{Cursor, Page, Paging};
pub use dedup::Deduplicated;
pub use document::{Document, DocumentRecord};
pub use error::{BoxError, Code, Error, ErrorData, ErrorType, Failure, Json, Reader, Result, ResultExt};
pub use form::{Form, Variant, excerpt};
pub use guarded::guarded;
pub use held::HeldAt;
pub use hook::{HookRecord, HookState};
pub use id::{ExecutorId, RunId, RunKey};
pub use inbox::{HookFilter, InboxFilter, InboxItem, OpenHookRecord};
pub use message::{MessageFilter, MessageRecord, MessageState, Refused, Resumed, Sent};
pub use name::{NAME_MAX, check_name};
pub use options::{
    RECOVERIES_MOST, RunOptions, SYSTEM_PREFIX, check_attributes, check_max_recoveries, check_system_attributes,
};
pub use parent_end::ParentEnd;
pub use person::PersonRequest;
pub use queue::{Blocked, QueueLimit, QueueLimits, QueueOverride, QueueRecord, QueueWait, Rate};
pub use reason::{Facts, Reason, ReasonKind};
pub use record::{
    Attempt, Chunk, ChunkBody, Durations, EventRecord, ExecutorRecord, Filter, Heartbeat, Identity, Not, OpenRuns,
    Origin, Range, RunRecord, Schemas, SortBy, StatusCounts, StepFilter, StepKind, StepRecord, StepSchemas, StepState,
    StreamRecord, VersionRecord, WaitsFor, Window, WorkflowCount, WorkflowRecord, WorkflowVersion,
};
pub use retention::Retention;
pub use retry::{Retry, Retrying};
pub use schedule::{CatchUp, Overlap, ScheduleRecord, Tick};
pub use status::{Actor, MOVES, Move, Status};
pub use steered::{BulkPreview, BulkResult, Refusal, Steered};
pub use steering::{Attribution, Initiator, REASON_MAX, Steering, SteeringAction, SteeringRecord};
pub use taken::Taken;
pub use time::{Timestamp, from_micros, micros};
pub use topic::{check_topic, hook_of, hook_topic};
pub use trace::check_traceparent;
pub use tree::Tree;
pub use version::by_version;
pub use wait::{Wait, WaitFor};
