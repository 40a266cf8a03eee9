//! Records: runs, their durable calls, waits, events and streams as seen from outside, and the filters of lists.

mod count;
mod executor;
mod filter;
mod origin;
mod run;
mod step;
mod stream;
mod waits_for;
mod workflow;

use crate::wire::{millis, payload};
pub use count::{StatusCounts, WorkflowCount};
pub use executor::ExecutorRecord;
pub use filter::{Durations, Filter, Not, Range, SortBy, Window};
pub use origin::Origin;
pub use run::{Identity, RunRecord, WorkflowVersion};
pub use step::{Attempt, Heartbeat, StepFilter, StepKind, StepRecord, StepState};
pub use stream::{Chunk, ChunkBody, EventRecord, StreamRecord};
pub use waits_for::WaitsFor;
pub use workflow::{OpenRuns, Schemas, StepSchemas, VersionRecord, WorkflowRecord};
