//! Changes: every durable change of a run as plain data. The engine creates them, the journal commits them.

use std::sync::Arc;
use std::time::Duration;

use onward_types::{
    Attribution, ChunkBody, Error, ExecutorId, Heartbeat, Identity, Initiator, Json, Origin, ParentEnd, PersonRequest,
    Retry, Retrying, RunId, RunKey, Status, Steering, SteeringAction, StepKind, Timestamp,
};

/// Payloads up to this many bytes are stored in the run's row; longer ones in a table of their own.
pub const INLINE_MAX: usize = 1024;

/// The maximum size of a recorded value, in bytes.
pub const PAYLOAD_MAX: usize = 16 * 1024 * 1024;

/// The stored version of a run that no executor has claimed yet and whose version is open.
pub(crate) const OPEN: &str = "";

/// One durable change of a run.
#[derive(Clone, Debug)]
pub enum Change {
    /// A run is created. The creation of a child is a change of its parent and keeps its place in the parent's order.
    Create(Box<NewRun>),
    /// A durable call finished with a result.
    Checkpoint(Checkpoint),
    /// An attempt of a step began, or ended without a result.
    Attempt(AttemptChange),
    /// The run waits for something.
    OpenWait(NewWait),
    /// A wait ended: its call got a result, lost a race or was dropped.
    CloseWait(u32),
    /// A call waits for a person, or would if there were no message yet.
    RequestPerson {
        /// The position of the call.
        position: u32,
        /// What the person has to do.
        request: Arc<PersonRequest>,
    },
    /// A call took a message. Committed together with the checkpoint of the call.
    Consume {
        /// The number of the message.
        seq: i64,
        /// The position of the call.
        position: u32,
    },
    /// A message fits none of the calls that wait for one. It is set aside until it is deleted or replaced, or other code takes
    /// it.
    Refuse {
        /// The number of the message.
        seq: i64,
        /// The reason, as a sentence.
        said: String,
        /// When it was refused.
        at: Timestamp,
    },
    /// An event has a new value. Committed together with the checkpoint of the call.
    SetEvent {
        /// The position of the call.
        position: u32,
        /// The key of the event.
        key: Arc<str>,
        /// The new value.
        value: Json,
        /// When it was set.
        at: Timestamp,
    },
    /// A chunk is appended to a stream, or the stream ends.
    Append(Box<NewChunk>),
    /// The hook that was opened by the call at this position is closed: its token may be used again.
    CloseHook(u32),
    /// The run returns, and did not close the hook that was opened by the call at this position.
    EndHook(u32),
    /// The run leaves its owner. Always the owner's last change.
    Leave(Leave),
}

/// A run to be created.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its key in the tables.
    pub key: RunKey,
    /// Its id, as users see it.
    pub id: RunId,
    /// The workflow.
    pub workflow: String,
    /// The version of the workflow. Empty if it is open: then the executor that claims the run decides.
    pub version: String,
    /// Whether `version` is only the newest one that the creating executor knows: if the run has to wait, its version stays
    /// open.
    pub is_open: bool,
    /// The executor that owns it from the start; `None` if any may claim it. If it also has a queue, the queue decides whether
    /// the run starts at once; otherwise it waits in the queue without an owner.
    pub executor: Option<ExecutorId>,
    /// `Running` if it has an executor, else `Enqueued` or `Delayed`.
    pub status: Status,
    /// The time from which it may be claimed.
    pub ready_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The maximum duration, counted from its first start.
    pub timeout: Option<Duration>,
    /// The time at which it is cancelled.
    pub deadline: Option<Timestamp>,
    /// How many times it may be recovered without making progress, if that was given.
    pub recoveries_max: Option<u32>,
    /// How often it is attempted, if that was given.
    pub retry: Option<Retry>,
    /// What becomes of it when its parent ends, if that was given.
    pub on_parent_end: Option<ParentEnd>,
    /// The run that starts it, and the position of the call.
    pub parent: Option<(RunKey, u32)>,
    /// Where it comes from, unless it is a child, a fork or gathers inputs: those are known by that.
    pub origin: Origin,
    /// The input.
    pub input: Json,
    /// A hash of the input's canonical form, used to decide whether two inputs are the same.
    pub input_hash: i64,
    /// The identity on whose behalf it runs.
    pub identity: Option<Identity>,
    /// Attributes attached to the run.
    pub attributes: Option<Json>,
    /// How it waits in a queue, if it does.
    pub queued: Option<Queued>,
    /// Whether its parent continues without waiting for the create, because no run can have the id. If one has it after all,
    /// the parent's other changes of the same batch are left out, since they refer to a run that was not created.
    pub must_be_new: bool,
}

impl NewRun {
    /// The version to store, depending on whether it begins at once.
    pub(crate) fn version_if(&self, begins: bool) -> &str {
        if self.is_open && !begins { OPEN } else { &self.version }
    }

    /// Whether it will wait in its queue, where any executor may claim it.
    pub(crate) fn is_claimable_in_queue(&self) -> bool {
        self.executor.is_none() && self.queued.is_some() && self.status != Status::Delayed
    }

    /// Whether claimers have to schedule it: it has no owner, and is not in a queue or not yet.
    pub(crate) fn is_for_claimers(&self) -> bool {
        self.executor.is_none() && !self.is_claimable_in_queue()
    }

    /// Its deadline if it begins at once: the timeout of a run with a queue counts from that moment.
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
    /// Lower numbers come first. 0, the default, comes before all others.
    pub priority: u32,
    /// The partition whose limits it shares.
    pub partition: Option<String>,
    /// The dedup key: two open runs of a queue cannot have the same one.
    pub dedup: Option<String>,
}

/// The result of creating a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// The run is new.
    New,
    /// The run is new, was created by an executor, and waits in this queue. A run that enters its queue later is reported as
    /// `New`.
    Waiting(String),
    /// A run with this id already existed.
    Existing(Existing),
    /// An open run of the queue had the same dedup key. It may have ended since.
    Duplicate(Existing),
}

/// An existing run that a create ran into.
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
    /// The run that started it, and the position of the call.
    pub parent: Option<(RunKey, u32)>,
}

/// The recorded result of a durable call.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The position of the call in its run.
    pub position: u32,
    /// The place of this completion in the run's order of completions.
    pub seq: u64,
    /// The kind of the call.
    pub kind: StepKind,
    /// The name of the call.
    pub name: Arc<str>,
    /// The output, or the recorded error.
    pub result: Result<Json, Json>,
    /// The notes that the body of the step made, as a JSON object.
    pub notes: Option<Json>,
    /// When the call began.
    pub started_at: Timestamp,
    /// When the result was known.
    pub finished_at: Timestamp,
}

/// An attempt of a step that gets a row: it failed, or has been running for a while.
#[derive(Clone, Debug)]
pub struct AttemptChange {
    /// The position of the step.
    pub position: u32,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// The name of the step.
    pub name: Arc<str>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, if it has.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Json>,
    /// The notes that the body made in a failed attempt that is not the last one, as a JSON object.
    pub notes: Option<Json>,
    /// How many attempts of the step have failed, this one included.
    pub failures: u32,
    /// When the next attempt may begin, if the pause before it is too short to be a wait.
    pub retry_at: Option<Timestamp>,
    /// Its last heartbeat; `None` leaves the recorded one as it is.
    pub heartbeat: Option<Heartbeat>,
    /// The attempt whose row is deleted because this one has a row: only a limited number of them is kept.
    pub drops: Option<u32>,
}

/// A wait to be recorded.
#[derive(Clone, Debug)]
pub struct NewWait {
    /// The position of the call.
    pub position: u32,
    /// The name of the call.
    pub name: Arc<str>,
    /// The event that ends the wait.
    pub wait: WaitKind,
    /// When the wait began.
    pub since: Timestamp,
}

/// The event that ends a wait.
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
        /// The topic of the message.
        topic: Arc<str>,
        /// When the wait times out; `None` if never.
        due_at: Option<Timestamp>,
        /// The form of message that the call takes, if known: a [`Form`](onward_types::Form) as JSON.
        form: Option<Arc<str>>,
        /// Whether a person has to send it.
        from_person: bool,
    },
    /// An event of any run, which need not exist yet.
    Event {
        /// The run that sets the event.
        run: RunId,
        /// The key of the event.
        key: Arc<str>,
        /// When the wait times out.
        due_at: Timestamp,
    },
    /// The resumption of the run. Written only with the leave that pauses it.
    Resume {
        /// When it was resumed; `None` while it is paused.
        resumed_at: Option<Timestamp>,
    },
}

impl WaitKind {
    /// The kind as it is stored in the table.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            WaitKind::Timer(_) => "timer",
            WaitKind::Retry(_) => "retry",
            WaitKind::Child(_) => "child",
            WaitKind::Message { from_person: true, .. } => "person",
            WaitKind::Message { .. } => "message",
            WaitKind::Event { .. } => "event",
            WaitKind::Resume { .. } => "resume",
        }
    }

    /// When the wait ends at the latest.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        match self {
            WaitKind::Timer(due_at) | WaitKind::Retry(due_at) | WaitKind::Event { due_at, .. } => Some(*due_at),
            WaitKind::Message { due_at, .. } | WaitKind::Resume { resumed_at: due_at } => *due_at,
            WaitKind::Child(_) => None,
        }
    }

    /// The child that the wait is for.
    pub(crate) fn child(&self) -> Option<RunKey> {
        if let WaitKind::Child(child) = self { Some(*child) } else { None }
    }

    /// The topic of the message, or the key of the event.
    pub(crate) fn topic(&self) -> Option<&str> {
        match self {
            WaitKind::Message { topic: of, .. } | WaitKind::Event { key: of, .. } => Some(of),
            WaitKind::Timer(_) | WaitKind::Retry(_) | WaitKind::Child(_) | WaitKind::Resume { .. } => None,
        }
    }

    /// The form of message that the call takes.
    pub(crate) fn form(&self) -> Option<&str> {
        if let WaitKind::Message { form, .. } = self { form.as_deref() } else { None }
    }

    /// The run that has to set the event.
    pub(crate) fn target(&self) -> Option<&str> {
        if let WaitKind::Event { run, .. } = self { Some(run.as_str()) } else { None }
    }
}

/// A chunk to be appended to a stream.
#[derive(Clone, Debug)]
pub struct NewChunk {
    /// The key of the stream.
    pub stream: Arc<str>,
    /// The index of the chunk in the stream, counted from 0.
    pub index: i64,
    /// The position of the call that appends it, or of the step whose body does.
    pub position: u32,
    /// The attempt of the step that appends it; 0 for the workflow itself.
    pub attempt: u32,
    /// The content.
    pub body: ChunkBody,
    /// When it was appended.
    pub at: Timestamp,
}

/// How a run leaves its owner.
#[derive(Clone, Debug)]
pub struct Leave {
    /// When it leaves.
    pub at: Timestamp,
    /// The run's parent, which may be waiting for it.
    pub parent: Option<RunKey>,
    /// The way in which it leaves.
    pub how: LeaveHow,
    /// The queue in which it had a slot, if others may be waiting for that slot.
    pub slot: Option<Arc<str>>,
}

/// The ways in which a run leaves its owner.
#[derive(Clone, Debug)]
pub enum LeaveHow {
    /// It ended with an output, or with a recorded error.
    Finished(Result<Json, Json>),
    /// It is parked (suspended): it has no owner until `ready_at`, or until what it waits for happens.
    Parked {
        /// The time of its earliest timer.
        ready_at: Option<Timestamp>,
    },
    /// It is held (paused by Onward), because continuing would lose something, or it has paused itself.
    Held {
        /// The reason, as a sentence.
        said: String,
        /// The reason, as an error.
        error: Json,
        /// The wait of the call with which the run paused itself. It is written if and only if the run leaves, so that no run
        /// is paused twice by a call, and none continues past it.
        by: Option<Box<NewWait>>,
    },
    /// Its next generation begins with this input and nothing recorded, at the first executor that claims it.
    Continued {
        /// The input of the next generation.
        input: Json,
        /// The position of the first call in the next generation: none before it is used again.
        first_position: u32,
    },
    /// An attempt failed. The next one begins with the same input, the messages that this one took, and nothing recorded.
    Retried(Box<NextAttempt>),
    /// Its owner is shutting down: any executor may claim it now.
    Released,
    /// It was revoked by a steering call and its owner releases it. Its state stays as the call set it.
    LetGo,
}

/// The attempt of a run that follows one that failed.
#[derive(Clone, Debug)]
pub struct NextAttempt {
    /// Its number, how many there are, and why the one before failed.
    pub retrying: Retrying,
    /// When it begins, or enters its queue.
    pub ready_at: Timestamp,
    /// The position of the first call of the attempt that failed: messages that were taken from there on are given back.
    pub failed_from: u32,
    /// The position of its own first call: none before it is used again.
    pub first_position: u32,
}

impl NextAttempt {
    /// As it is stored.
    pub(crate) fn written(&self) -> String {
        serde_json::to_string(&self.retrying).expect("an attempt has only numbers and JSON")
    }
}

/// The code of the error with which a run ends or is held.
pub(crate) fn error_code(how: &LeaveHow) -> Option<String> {
    match how {
        LeaveHow::Finished(Err(error)) | LeaveHow::Held { error, .. } => code_of(error),
        LeaveHow::Finished(Ok(_))
        | LeaveHow::Parked { .. }
        | LeaveHow::Continued { .. }
        | LeaveHow::Retried(_)
        | LeaveHow::Released
        | LeaveHow::LetGo => None,
    }
}

/// The code of a recorded error. `None` if the text is no error that this version can read.
pub(crate) fn code_of(error: &Json) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Coded {
        code: String,
    }
    error.decode::<Coded>().ok().map(|error| error.code).filter(|code| !code.contains('\0'))
}

impl Change {
    /// The approximate size of the change in bytes, in memory and when sent to the database.
    #[must_use]
    pub fn size(&self) -> usize {
        let payload = |result: &Result<Json, Json>| result.as_ref().map_or_else(Json::len, Json::len);
        128 + match self {
            Change::Create(run) => run.input.len() + run.id.as_str().len(),
            Change::Checkpoint(it) => it.name.len() + payload(&it.result) + it.notes.as_ref().map_or(0, Json::len),
            Change::Attempt(it) => {
                let progress = it.heartbeat.as_ref().map(|heartbeat| &heartbeat.progress);
                [it.error.as_ref(), it.notes.as_ref(), progress].into_iter().flatten().map(Json::len).sum()
            }
            Change::Leave(Leave { how: LeaveHow::Finished(result), .. }) => payload(result),
            Change::Leave(Leave { how: LeaveHow::Held { error, .. }, .. }) => error.len(),
            Change::Leave(Leave { how: LeaveHow::Continued { input, .. }, .. }) => input.len(),
            Change::Leave(Leave { how: LeaveHow::Retried(next), .. }) => next.retrying.error.len(),
            Change::SetEvent { key, value, .. } => key.len() + value.len(),
            Change::Append(chunk) => chunk.stream.len() + chunk.body.len(),
            Change::Refuse { said, .. } => said.len(),
            Change::RequestPerson { request, .. } => request.title.len(),
            Change::OpenWait(_)
            | Change::CloseWait(_)
            | Change::CloseHook(_)
            | Change::EndHook(_)
            | Change::Consume { .. }
            | Change::Leave(_) => 0,
        }
    }
}

impl Leave {
    /// The act that stops the run, as its history records it, if the run is held or has paused itself.
    pub(crate) fn hold(&self) -> Option<String> {
        let LeaveHow::Held { said, by, .. } = &self.how else { return None };
        let steering = hold(by.is_some(), Some(said.clone()), self.at);
        Some(serde_json::to_string(&steering).expect("an act has only texts and times"))
    }
}

/// The act of the executor that holds a run; with `itself`, that of the run, which paused itself.
pub(crate) fn hold(itself: bool, why: Option<String>, at: Timestamp) -> Steering {
    let initiator = if itself { Initiator::Run } else { Initiator::Executor };
    Steering::new(SteeringAction::Pause, &Attribution { initiator, reason: why, ..Attribution::default() }, at)
}

/// The error of an attempt that was in progress when the next generation of its run began.
pub(crate) fn continued_without() -> Json {
    Error::new(onward_types::Code::Cancelled, "abandoned: the run began its next generation").to_json()
}

/// Reject a payload that is larger than [`PAYLOAD_MAX`].
///
/// # Errors
/// [`Code::Invalid`](onward_types::Code::Invalid) with the actual and the maximum size.
pub fn check_payload(what: &str, payload: &Json) -> Result<(), Error> {
    check_size(what, payload.len())
}

/// Reject a size above [`PAYLOAD_MAX`].
///
/// # Errors
/// [`Code::Invalid`](onward_types::Code::Invalid) with the actual and the maximum size.
pub fn check_size(what: &str, size: usize) -> Result<(), Error> {
    if size <= PAYLOAD_MAX {
        return Ok(());
    }
    let message =
        format!("the {what} has {size} bytes, and the maximum is {PAYLOAD_MAX}: store it elsewhere and record where");
    // Retrying would not make it smaller.
    Err(Error::fatal(Error::new(onward_types::Code::Invalid, message)))
}
