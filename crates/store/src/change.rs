//! Changes: all durable change as plain data. The engine makes them, the journal commits them.

use std::sync::Arc;
use std::time::Duration;

use onward_types::{ChunkBody, Error, ExecutorId, Identity, Json, RunId, RunKey, Status, StepKind, Timestamp};

/// Payloads up to this size stand in the run's row; longer ones beside it.
pub const INLINE_MAX: usize = 1024;

/// The most bytes that one recorded value may have.
pub const PAYLOAD_MAX: usize = 16 * 1024 * 1024;

/// The version of a run in the tables as long as no executor has claimed it.
pub(crate) const OPEN: &str = "";

/// One thing that becomes durable for a run.
#[derive(Clone, Debug)]
pub enum Change {
    /// A run is created. For a child it is a change of its parent: it stands in the parent's order.
    Create(Box<NewRun>),
    /// A durable call got its result.
    Checkpoint(Checkpoint),
    /// An attempt of a step began, or ended without a result.
    Attempt(AttemptChange),
    /// The run waits for something.
    OpenWait(NewWait),
    /// A wait ended: its call has its result, lost a race or was dropped.
    CloseWait(u32),
    /// A call took a message. Travels with the checkpoint of the call.
    Consume {
        /// The message.
        seq: i64,
        /// The call.
        position: u32,
    },
    /// A message fits none of the calls that wait for one: it is set aside, until somebody takes it back or other code takes it.
    Refuse {
        /// The message.
        seq: i64,
        /// Why, in a sentence.
        said: String,
        /// When.
        at: Timestamp,
    },
    /// An event has a new value. Travels with the checkpoint of the call.
    SetEvent {
        /// The call.
        position: u32,
        /// The event.
        key: Arc<str>,
        /// Its value.
        value: Json,
        /// When it was set.
        at: Timestamp,
    },
    /// A chunk is appended to a stream, or the stream ends.
    Append(Box<NewChunk>),
    /// The hook that the call at this position opened is closed: its token is free.
    CloseHook(u32),
    /// The run leaves its owner. The last change that an owner makes.
    Leave(Leave),
}

/// A run to be created.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The key for tables.
    pub key: RunKey,
    /// The id for people.
    pub id: RunId,
    /// The workflow.
    pub workflow: String,
    /// Its version; empty where it is open, which means that the executor that claims the run decides.
    pub version: String,
    /// Whether `version` is only what the executor has that makes the run: where the run has to wait, its version is open.
    pub is_open: bool,
    /// The executor that has it from the first moment; none if any may claim it. Where it is for a queue too, the queue decides:
    /// it lets the run begin at once, or the run waits in it and is nobody's.
    pub executor: Option<ExecutorId>,
    /// `Running` with an executor, else `Enqueued` or `Delayed`.
    pub status: Status,
    /// From when on it may be claimed.
    pub ready_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// How long it may take from its first start.
    pub timeout: Option<Duration>,
    /// When it is cancelled.
    pub deadline: Option<Timestamp>,
    /// How often it may be recovered without progress.
    pub recoveries_max: u32,
    /// The run that starts it, and where.
    pub parent: Option<(RunKey, u32)>,
    /// The input.
    pub input: Json,
    /// A hash of the input's canonical form, by which "the same input" is judged.
    pub input_hash: i64,
    /// On whose behalf it works.
    pub identity: Option<Identity>,
    /// Attached facts.
    pub attributes: Option<Json>,
    /// Its place in a queue, if it waits in one.
    pub queued: Option<Queued>,
    /// Whether its parent goes on without waiting for the answer, because no run can have the id. Should one have it all the same,
    /// what the parent made in the same batch is left out: it says of a run that there is one, and there is none.
    pub must_be_new: bool,
}

impl NewRun {
    /// Its version if it begins at once, or has to wait.
    pub(crate) fn version_if(&self, begins: bool) -> &str {
        if self.is_open && !begins { OPEN } else { &self.version }
    }

    /// Whether it is created to wait in its queue for whoever may claim it.
    pub(crate) fn is_claimable_in_queue(&self) -> bool {
        self.executor.is_none() && self.queued.is_some() && self.status != Status::Delayed
    }

    /// Whether it is for whoever may claim it, and not from a queue, or not yet: claimers have to look when.
    pub(crate) fn is_for_claimers(&self) -> bool {
        self.executor.is_none() && !self.is_claimable_in_queue()
    }

    /// When it is cancelled if it begins at once. What is for a queue has its timeout counted from then.
    #[must_use]
    pub fn deadline_at_start(&self) -> Option<Timestamp> {
        let timeout = self.timeout.filter(|_| self.queued.is_some());
        let own = timeout.map(|timeout| crate::clock::add(self.created_at, timeout));
        own.into_iter().chain(self.deadline).min()
    }
}

/// How a run waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The queue.
    pub queue: String,
    /// Lower numbers come first; 0, for runs that were given none, before all.
    pub priority: u32,
    /// What it shares the limits of a partition by.
    pub partition: Option<String>,
    /// No two open runs of a queue have the same.
    pub dedup: Option<String>,
}

/// What came of a create.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// The run is new.
    New,
    /// The run is new, and an executor made it for this queue, where it waits now. One that enters its queue later is just new.
    Waiting(String),
    /// A run with that id was there already.
    Existing(Existing),
    /// An open run of the queue has the same dedup; it may have ended since.
    Duplicate(Existing),
}

/// The run that already has the id.
#[derive(Clone, Debug, PartialEq)]
pub struct Existing {
    /// Its key.
    pub key: RunKey,
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The hash of its input.
    pub input_hash: i64,
    /// The run that started it, and where.
    pub parent: Option<(RunKey, u32)>,
}

/// The result of a durable call.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The call's place in its run's order.
    pub position: u32,
    /// The place of its completion in the order of completions.
    pub seq: u64,
    /// What kind of call.
    pub kind: StepKind,
    /// Its name.
    pub name: Arc<str>,
    /// The output, or the recorded error.
    pub result: Result<Json, Json>,
    /// When the call began.
    pub started_at: Timestamp,
    /// When its result was known.
    pub finished_at: Timestamp,
}

/// An attempt that is worth a row: it failed, or it has not ended for a while.
#[derive(Clone, Debug)]
pub struct AttemptChange {
    /// The step's position.
    pub position: u32,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The step's name.
    pub name: Arc<str>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Json>,
}

/// What a call waits for.
#[derive(Clone, Debug)]
pub struct NewWait {
    /// The call's position.
    pub position: u32,
    /// The call's name.
    pub name: Arc<str>,
    /// What has to happen.
    pub wait: WaitKind,
    /// Since when it waits.
    pub since: Timestamp,
}

/// What has to happen for a wait to end.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitKind {
    /// A timer.
    Timer(Timestamp),
    /// The next attempt of a step.
    Retry(Timestamp),
    /// The end of a child.
    Child(RunKey),
    /// A message.
    Message {
        /// On which topic.
        topic: Arc<str>,
        /// Until when, if not for ever.
        due_at: Option<Timestamp>,
        /// What its call takes, where that is known: a [`Form`](onward_types::Form) as JSON.
        form: Option<Arc<str>>,
    },
    /// An event of a run, this one or another, which need not be there yet.
    Event {
        /// Of which run.
        run: RunId,
        /// Which event.
        key: Arc<str>,
        /// Until when.
        due_at: Timestamp,
    },
}

impl WaitKind {
    /// The kind as the table names it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            WaitKind::Timer(_) => "timer",
            WaitKind::Retry(_) => "retry",
            WaitKind::Child(_) => "child",
            WaitKind::Message { .. } => "message",
            WaitKind::Event { .. } => "event",
        }
    }

    /// When it ends in any case.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        match self {
            WaitKind::Timer(due_at) | WaitKind::Retry(due_at) | WaitKind::Event { due_at, .. } => Some(*due_at),
            WaitKind::Message { due_at, .. } => *due_at,
            WaitKind::Child(_) => None,
        }
    }

    /// The child that has to end.
    pub(crate) fn child(&self) -> Option<RunKey> {
        if let WaitKind::Child(child) = self { Some(*child) } else { None }
    }

    /// The topic of the message, or the key of the event.
    pub(crate) fn topic(&self) -> Option<&str> {
        match self {
            WaitKind::Message { topic: of, .. } | WaitKind::Event { key: of, .. } => Some(of),
            WaitKind::Timer(_) | WaitKind::Retry(_) | WaitKind::Child(_) => None,
        }
    }

    /// What the call takes.
    pub(crate) fn form(&self) -> Option<&str> {
        if let WaitKind::Message { form, .. } = self { form.as_deref() } else { None }
    }

    /// The run that has to set the event.
    pub(crate) fn target(&self) -> Option<&str> {
        if let WaitKind::Event { run, .. } = self { Some(run.as_str()) } else { None }
    }
}

/// A chunk to be appended.
#[derive(Clone, Debug)]
pub struct NewChunk {
    /// To which stream.
    pub stream: Arc<str>,
    /// Its place in the stream, from 0.
    pub index: i64,
    /// The call that appends it, or the step in whose body that is done.
    pub position: u32,
    /// In which attempt of the step; 0 for the workflow itself.
    pub attempt: u32,
    /// What it holds.
    pub body: ChunkBody,
    /// When it was appended.
    pub at: Timestamp,
}

/// How a run leaves its owner.
#[derive(Clone, Debug)]
pub struct Leave {
    /// When.
    pub at: Timestamp,
    /// The run's parent, which may wait for it.
    pub parent: Option<RunKey>,
    /// In which way.
    pub how: LeaveHow,
    /// The queue of which it had a slot, for which others may wait.
    pub slot: Option<Arc<str>>,
}

/// The ways in which a run leaves its owner.
#[derive(Clone, Debug)]
pub enum LeaveHow {
    /// It ended: with an output, or with an error as recorded.
    Finished(Result<Json, Json>),
    /// It is parked: owned by nobody until `ready_at`, or until what it waits for happens.
    Parked {
        /// When its earliest timer is due.
        ready_at: Option<Timestamp>,
    },
    /// It is paused, because going on would lose something.
    Held {
        /// Why, in a sentence.
        said: String,
        /// Why, as an error.
        error: Json,
    },
    /// Its owner is shutting down: anyone may claim it now.
    Released,
    /// It was taken from its owner by a steering call, and the owner lets go. Its state stays as it was steered.
    LetGo,
}

impl Change {
    /// About how many bytes the change takes in memory and on its way to the database.
    #[must_use]
    pub fn size(&self) -> usize {
        let payload = |result: &Result<Json, Json>| result.as_ref().map_or_else(Json::len, Json::len);
        128 + match self {
            Change::Create(run) => run.input.len() + run.id.as_str().len(),
            Change::Checkpoint(it) => it.name.len() + payload(&it.result),
            Change::Attempt(it) => it.error.as_ref().map_or(0, Json::len),
            Change::Leave(Leave { how: LeaveHow::Finished(result), .. }) => payload(result),
            Change::Leave(Leave { how: LeaveHow::Held { error, .. }, .. }) => error.len(),
            Change::SetEvent { key, value, .. } => key.len() + value.len(),
            Change::Append(chunk) => chunk.stream.len() + chunk.body.len(),
            Change::Refuse { said, .. } => said.len(),
            Change::OpenWait(_)
            | Change::CloseWait(_)
            | Change::CloseHook(_)
            | Change::Consume { .. }
            | Change::Leave(_) => 0,
        }
    }
}

/// Refuse a payload that is too large for a row.
///
/// # Errors
/// [`Code::Invalid`](onward_types::Code::Invalid), with both sizes.
pub fn check_payload(what: &str, payload: &Json) -> Result<(), Error> {
    check_size(what, payload.len())
}

/// Refuse bytes that are too many for a row.
///
/// # Errors
/// [`Code::Invalid`](onward_types::Code::Invalid), with both sizes.
pub fn check_size(what: &str, size: usize) -> Result<(), Error> {
    if size <= PAYLOAD_MAX {
        return Ok(());
    }
    let message =
        format!("the {what} has {size} bytes: {PAYLOAD_MAX} are the most. Store it elsewhere and record where");
    // No retry makes it smaller.
    Err(Error::fatal(Error::new(onward_types::Code::Invalid, message)))
}
