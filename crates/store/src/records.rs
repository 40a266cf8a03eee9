//! What is read of a run: as replay needs it, and as those who wait for it do. Plain data, without SQL.

use std::collections::HashMap;
use std::sync::Arc;

use onward_types::{
    Chunk, Error, ExecutorId, Identity, Json, RunId, RunKey, Status, StepKind, StreamInfo, Timestamp, Wait,
};

/// A run with all that it recorded, ready to be replayed.
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
    /// The executor that has it.
    pub owner: Option<ExecutorId>,
    /// How many executors have had it, this one included.
    pub owners: u32,
    /// How often it was recovered without progress.
    pub recoveries: u32,
    /// Whether it was ever recovered from a dead executor.
    pub recovered: bool,
    /// When it is cancelled.
    pub deadline: Option<Timestamp>,
    /// The run that started it.
    pub parent: Option<RunKey>,
    /// On whose behalf it works, and the trace that it is a part of.
    pub identity: Option<Identity>,
    /// The queue with limits of which it has a slot.
    pub slot: Option<Arc<str>>,
    /// What it recorded, in the order of completions.
    pub checkpoints: Vec<Recorded>,
    /// What it waits for.
    pub waits: Vec<Wait>,
    /// What was noted of the attempts at each position.
    pub attempts: HashMap<u32, Tried>,
    /// What was sent to it and not consumed yet, the oldest of each topic that it waits for.
    pub messages: Vec<Message>,
    /// How far its streams are.
    pub streams: Vec<StreamInfo>,
}

/// A checkpoint as replay needs it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The position of the call.
    pub position: u32,
    /// Its place in the order of completions.
    pub seq: u64,
    /// What kind of call.
    pub kind: StepKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its output or error.
    pub result: Result<Json, Json>,
}

/// How often a step was tried before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The number of the last attempt that was noted.
    pub last: u32,
    /// How many have failed. One that a crash interrupted has not.
    pub failed: u32,
    /// When the first attempt that was noted began.
    pub since: Option<Timestamp>,
}

/// A message that no call has taken.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number. Those that were read later have higher ones.
    pub seq: i64,
    /// Its place in the order of what was sent to the run.
    pub place: i64,
    /// On which topic.
    pub topic: Arc<str>,
    /// What it says, or why that cannot be decoded.
    pub body: Result<Json, Error>,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// How a run stands, as far as somebody who waits for its end cares.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its state.
    pub status: Status,
    /// What was said of it.
    pub said: Option<String>,
    /// Its output.
    pub output: Option<Json>,
    /// Its error.
    pub error: Option<Json>,
    /// Why output or error cannot be read.
    pub unreadable: Option<Error>,
    /// The run with which it was cancelled. That is no result of its own: it comes back with that run.
    pub cancelled_with: Option<RunId>,
}

/// Some chunks of a stream, and whether there may be more.
#[derive(Clone, Debug)]
pub struct Chunks {
    /// The chunks, in the order of their indices. The end of a closed stream is the last of them.
    pub chunks: Vec<Chunk>,
    /// Whether the stream was closed: no chunk comes after those that are there.
    pub closed: bool,
    /// Whether the run has ended and appends no more.
    pub ended: bool,
}
