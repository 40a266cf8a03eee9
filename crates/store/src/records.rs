//! The data read about a run, for replay and for those who wait for it. Plain data without SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use onward_types::{
    Chunk, Error, ExecutorId, Identity, Json, Retry, RunId, RunKey, Status, StepKind, StreamRecord, Timestamp,
};

use crate::change::WaitKind;

/// A run with everything it recorded, ready to be replayed.
#[derive(Clone, Debug)]
pub struct History {
    /// Its key.
    pub key: RunKey,
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Its version.
    pub version: String,
    /// Its input.
    pub input: Json,
    /// The executor that owns it.
    pub owner: Option<ExecutorId>,
    /// How many times it got an owner, the current one included.
    pub owners: u32,
    /// How many times it was recovered without making progress.
    pub recoveries: u32,
    /// Whether it was ever recovered from a dead executor.
    pub recovered: bool,
    /// When it was started for the first time.
    pub started_at: Option<Timestamp>,
    /// The time at which it is cancelled.
    pub deadline: Option<Timestamp>,
    /// The run that started it.
    pub parent: Option<RunKey>,
    /// The identity on whose behalf it runs, and the trace it belongs to.
    pub identity: Option<Identity>,
    /// The position of its first call: 0, unless it is in a later generation.
    pub first_position: u32,
    /// How often it is attempted, if its starter said so.
    pub retry: Option<Retry>,
    /// The attempt that is executed, from 1.
    pub attempt: u32,
    /// Whether a child that an earlier generation started has not ended, and the run waits for it before it ends.
    pub awaits_children: bool,
    /// The queue in which it has a slot, if that queue has limits.
    pub slot: Option<Arc<str>>,
    /// Its checkpoints, in the order of completions.
    pub checkpoints: Vec<Recorded>,
    /// Its open waits.
    pub waits: Vec<OpenWait>,
    /// A summary of the recorded attempts at each position.
    pub attempts: BTreeMap<u32, Tried>,
    /// Unconsumed messages sent to it: the oldest of each topic that it waits for.
    pub messages: Vec<Message>,
    /// The current ends of its streams.
    pub streams: Vec<StreamRecord>,
}

/// An open wait as replay needs it.
#[derive(Clone, Debug)]
pub struct OpenWait {
    /// The position of the call that waits.
    pub position: u32,
    /// The event that ends it.
    pub wait: WaitKind,
    /// When it began.
    pub since: Timestamp,
}

/// A checkpoint as replay needs it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The position of the call.
    pub position: u32,
    /// Its place in the order of completions.
    pub seq: u64,
    /// The kind of the call.
    pub kind: StepKind,
    /// The name of the call.
    pub name: Arc<str>,
    /// The output or error.
    pub result: Result<Json, Json>,
}

/// A summary of a step's earlier attempts.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// The number of the last recorded attempt.
    pub last: u32,
    /// How many attempts failed. One that was interrupted by a crash does not count.
    pub failed: u32,
    /// When the first recorded attempt began.
    pub since: Option<Timestamp>,
    /// When the next attempt may begin, after a short pause.
    pub retry_at: Option<Timestamp>,
    /// The last recorded heartbeat, if the step has no result yet.
    pub progress: Option<Progress>,
}

/// The last recorded heartbeat of a step.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The attempt whose row has it.
    pub attempt: u32,
    /// When it was sent.
    pub at: Timestamp,
    /// What it said, or the error of decoding it.
    pub value: Result<Json, Error>,
}

/// A message that no call has taken.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number. Messages that were read later have higher numbers.
    pub seq: i64,
    /// Its place in the order of the messages sent to the run.
    pub place: i64,
    /// Its topic.
    pub topic: Arc<str>,
    /// Its content, or the error of decoding it.
    pub body: Result<Json, Error>,
    /// The reason why it was refused, if it was.
    pub refused: Option<String>,
}

/// The state of a run, as far as it matters to those who wait for its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its state.
    pub status: Status,
    /// The reason for its state.
    pub said: Option<String>,
    /// Its output.
    pub output: Option<Json>,
    /// Its error.
    pub error: Option<Json>,
    /// Why its output or error cannot be decoded, if so.
    pub unreadable: Option<Error>,
    /// The run whose cancellation cancelled this one. This run is resumed together with it, so its cancellation is not final by
    /// itself.
    pub cancelled_with: Option<RunId>,
}

/// Some chunks of a stream.
#[derive(Clone, Debug)]
pub struct Chunks {
    /// The chunks, ordered by index. The last one of a closed stream is its end.
    pub chunks: Vec<Chunk>,
    /// Whether the stream was closed: no chunk follows after these.
    pub closed: bool,
    /// Whether the run has ended and will append no more.
    pub ended: bool,
}
