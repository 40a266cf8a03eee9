//! The data types of Onward: ids, the life cycle, records and errors.
//!
//! Nothing here reads a clock, a socket or a database. Every other crate of Onward uses these types, and their names are the same
//! in SQL, in URLs and on the command line.

mod checked;
mod cursor;
mod dedup;
mod error;
mod form;
mod guarded;
mod hook;
mod id;
mod message;
mod name;
mod options;
mod queue;
mod reason;
mod record;
mod retention;
mod schedule;
mod status;
mod steered;
mod time;
mod topic;
mod trace;
mod tree;
mod version;

pub use cursor::{Cursor, Page, Paging};
pub use dedup::Deduplicated;
pub use error::{BoxError, Code, Error, ErrorData, Json, Reader, Result, ResultExt};
pub use form::{Form, Variant, excerpt};
pub use guarded::guarded;
pub use hook::{HookRecord, HookState};
pub use id::{ExecutorId, RunId, RunKey};
pub use message::{MessageRecord, Refused};
pub use name::{NAME_MAX, check_name};
pub use options::{RunOptions, check_attributes};
pub use queue::{Held, QueueInfo, QueueLimits, Rate};
pub use reason::{Facts, reason};
pub use record::{
    Attempt, Chunk, ChunkBody, Durations, EventRecord, Filter, Identity, Not, Origin, Range, RunRecord, SortBy,
    StatusCounts, StepFilter, StepKind, StepRecord, StepState, StreamInfo, Wait, WaitFor, Window, WorkflowCount,
    WorkflowVersion,
};
pub use retention::Retention;
pub use schedule::{CatchUp, Overlap, ScheduleRecord, Tick};
pub use status::{Actor, MOVES, Move, Status};
pub use steered::Steered;
pub use time::{Timestamp, from_micros, micros};
pub use topic::{check_topic, hook_of, hook_topic};
pub use trace::check_traceparent;
pub use tree::Tree;
pub use version::by_version;
