//! Runs as seen from outside: the full record, its steps and waits, and the filters of lists.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, ExecutorId, Json, RunId, RunKey, Status, Timestamp};

/// The name and version of the workflow that a run executes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkflowVersion {
    /// The name of the workflow.
    pub name: String,
    /// Its version, chosen by the author.
    pub version: String,
}

impl WorkflowVersion {
    /// Makes it from a name and a version.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> WorkflowVersion {
        WorkflowVersion { name: name.into(), version: version.into() }
    }
}

/// The user on whose behalf a run works. Onward stores and returns it, and checks no permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user who started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The role with which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// All roles that the user has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The class of the workflow, if the client's language has classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// The name of the configured instance of that class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_name: Option<String>,
    /// The trace that it belongs to, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Identity {
    /// Accepts the identity if every database can store each of its names.
    ///
    /// # Errors
    /// [`Code::Invalid`], naming the part that is empty, too long, or contains control characters.
    pub fn check(&self) -> Result<(), Error> {
        let alone = [
            ("user", &self.user),
            ("role", &self.role),
            ("name of the class", &self.class_name),
            ("name of the configuration", &self.config_name),
        ];
        let roles = self.roles.iter().map(|role| ("role", role));
        for (what, name) in alone.iter().filter_map(|(what, name)| Some((*what, name.as_ref()?))).chain(roles) {
            crate::check_name(what, name)?;
        }
        self.traceparent.as_deref().map_or(Ok(()), crate::check_traceparent)
    }
}

/// Everything known about a run at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The id for people.
    pub id: RunId,
    /// The key in tables, which is never reused.
    pub key: RunKey,
    /// The workflow.
    pub workflow: String,
    /// The version of the workflow; `None` while it is open. A run that was started only by the name of its workflow gets the
    /// newest version that the executor claiming it has, and keeps that.
    #[serde(default)]
    pub version: Option<String>,
    /// The state.
    pub status: Status,
    /// Why it is in that state, in a sentence made from facts.
    pub reason: String,
    /// The input; `null` in a list without inputs.
    pub input: Json,
    /// The output, once it succeeded; `None` in a list without outputs.
    pub output: Option<Json>,
    /// The error, once it failed; while it is held, the error that holds it.
    pub error: Option<Json>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its state or its owner last changed.
    pub updated_at: Timestamp,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The earliest time at which it may be executed, while no executor owns it.
    pub ready_at: Option<Timestamp>,
    /// How long it may take from its first start. In JSON: whole milliseconds, as `timeout_ms`.
    #[serde(rename = "timeout_ms", with = "millis", default)]
    pub timeout: Option<Duration>,
    /// When it is cancelled if it has not ended by then.
    pub deadline: Option<Timestamp>,
    /// The executor that owns it.
    pub executor: Option<ExecutorId>,
    /// The ownership epoch: how many times an executor has claimed it.
    pub owners: u32,
    /// How many times it was recovered without progress since the previous recovery.
    pub recoveries: u32,
    /// The maximum number of recoveries without progress.
    pub recoveries_max: u32,
    /// The run that started it.
    pub parent: Option<RunId>,
    /// The position of the parent's call that started it.
    pub parent_position: Option<u32>,
    /// The run that it was forked from, unless that was deleted.
    #[serde(default)]
    pub forked_from: Option<RunId>,
    /// The position at which it departs from the run that it was forked from.
    #[serde(default)]
    pub fork_position: Option<u32>,
    /// The user on whose behalf it works.
    pub identity: Identity,
    /// The attributes that were given when it was started, as a JSON object. They can be changed later.
    pub attributes: Option<Json>,
    /// The queue in which it waits or has waited.
    pub queue: Option<String>,
    /// Its priority in the queue: lower numbers run first. 0, for runs without a priority, comes before all others.
    pub priority: u32,
    /// Its partition key: runs of the queue with the same key share the limits of a partition (a concurrency key).
    pub partition: Option<String>,
    /// Its dedup key, which no other open run of its queue has.
    pub dedup: Option<String>,
}

/// The kind of a durable call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A step.
    Step,
    /// A step whose SQL commits together with its checkpoint.
    Transaction,
    /// A durable sleep.
    Sleep,
    /// The start of a child.
    Start,
    /// The result of a child.
    Child,
    /// The time.
    Now,
    /// A random number.
    Random,
    /// A UUID.
    Uuid,
    /// Whether a patch applies.
    Patch,
    /// The receipt of a message.
    Recv,
    /// The sending of a message to a run.
    Send,
    /// The setting of an event.
    Event,
    /// The reading of an event, of this run or another.
    GetEvent,
    /// The appending of a chunk to a stream, or its closing.
    Stream,
    /// The opening of a hook.
    Hook,
}

impl StepKind {
    /// All kinds.
    pub const ALL: [StepKind; 15] = [
        StepKind::Step,
        StepKind::Transaction,
        StepKind::Sleep,
        StepKind::Start,
        StepKind::Child,
        StepKind::Now,
        StepKind::Random,
        StepKind::Uuid,
        StepKind::Patch,
        StepKind::Recv,
        StepKind::Send,
        StepKind::Event,
        StepKind::GetEvent,
        StepKind::Stream,
        StepKind::Hook,
    ];

    /// The kind as text, the same in tables and for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            StepKind::Step => "step",
            StepKind::Transaction => "transaction",
            StepKind::Sleep => "sleep",
            StepKind::Start => "start",
            StepKind::Child => "child",
            StepKind::Now => "now",
            StepKind::Random => "random",
            StepKind::Uuid => "uuid",
            StepKind::Patch => "patch",
            StepKind::Recv => "recv",
            StepKind::Send => "send",
            StepKind::Event => "event",
            StepKind::GetEvent => "get_event",
            StepKind::Stream => "stream",
            StepKind::Hook => "hook",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for StepKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<StepKind, Error> {
        let found = StepKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| Error::new(Code::Corrupt, format!("`{text}` is not a kind of durable call")))
    }
}

/// The state of a durable call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// In progress, between two attempts, or interrupted by a crash.
    Running,
    /// Waits for a timer, a child, a message or an event.
    Waiting,
    /// Recorded with an output.
    Succeeded,
    /// Recorded with an error.
    Failed,
    /// Dropped before it had a result: it lost a race, or its run ended first.
    Cancelled,
}

impl StepState {
    /// Whether it may still get a result.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, StepState::Running | StepState::Waiting)
    }
}

/// One durable call of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its place in the order of the run's calls.
    pub position: u32,
    /// What kind of call it is.
    pub kind: StepKind,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: StepState,
    /// The recorded output.
    pub output: Option<Json>,
    /// The recorded error.
    pub error: Option<Json>,
    /// The child run it started or waits for.
    pub child: Option<RunId>,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it completed.
    pub completed_at: Option<Timestamp>,
    /// Its recorded attempts, oldest first: those that failed, were slow or were interrupted. A quick success records none.
    pub attempts: Vec<Attempt>,
}

/// Selects durable calls of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepFilter {
    /// The first position. The next page begins after the last position of this one.
    pub from: u32,
    /// The maximum number of calls; `None` means all.
    pub limit: Option<u32>,
    /// Whether outputs are read. Default: `true`.
    pub with_output: bool,
}

impl Default for StepFilter {
    fn default() -> StepFilter {
        StepFilter { from: 0, limit: None, with_output: true }
    }
}

/// A recorded attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs, or if a crash interrupted it.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Json>,
}

/// A durable call that waits, and what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The position of the call that waits.
    pub position: u32,
    /// What it waits for.
    #[serde(rename = "for")]
    pub wait_for: WaitFor,
    /// When the wait began.
    pub since: Timestamp,
}

/// What ends a wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// A timer is due.
    Timer {
        /// When it is due.
        due_at: Timestamp,
    },
    /// A step's next attempt is due.
    Retry {
        /// When it is due.
        due_at: Timestamp,
    },
    /// A child ends.
    Child {
        /// Its key.
        key: RunKey,
        /// Its id.
        id: RunId,
    },
    /// A message is sent.
    Message {
        /// The topic.
        topic: String,
        /// When the wait times out; `None` if it never does.
        due_at: Option<Timestamp>,
    },
    /// An event is set by a run, which need not exist yet.
    Event {
        /// The run.
        run: RunId,
        /// The key of the event.
        key: String,
        /// When the wait times out.
        due_at: Timestamp,
    },
}

/// An event of a run with its latest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its key.
    pub key: String,
    /// Its latest value.
    pub value: Json,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// The content of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkBody {
    /// A value.
    Json(Json),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// The end of the stream.
    Close,
}

impl ChunkBody {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            ChunkBody::Json(json) => json.len(),
            ChunkBody::Bytes(bytes) => bytes.len(),
            ChunkBody::Close => 0,
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind as text, as stored in tables.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            ChunkBody::Json(_) => "json",
            ChunkBody::Bytes(_) => "bytes",
            ChunkBody::Close => "close",
        }
    }
}

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its index in the stream, from 0.
    pub index: i64,
    /// The position of the call that appended it, or of the step whose body did.
    pub position: u32,
    /// The attempt of the step that appended it, from 1; 0 if the workflow itself did.
    pub attempt: u32,
    /// Whether the attempt that appended it is the one whose result was recorded. `None` while the step has no result.
    pub committed: Option<bool>,
    /// Its content.
    pub body: ChunkBody,
    /// When it was appended.
    pub appended_at: Timestamp,
}

/// The progress of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// Its key.
    pub key: String,
    /// The index of its last chunk; -1 if it has none.
    pub tail: i64,
    /// Whether the run closed it.
    pub closed: bool,
}

/// A span of time. `None` leaves that end open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first instant of the span.
    pub from: Option<Timestamp>,
    /// The first instant after the span.
    pub until: Option<Timestamp>,
}

impl Window {
    /// From this instant on.
    #[must_use]
    pub const fn from(at: Timestamp) -> Window {
        Window { from: Some(at), until: None }
    }

    /// Up to this instant, exclusive.
    #[must_use]
    pub const fn until(at: Timestamp) -> Window {
        Window { from: None, until: Some(at) }
    }
}

/// Selects runs. A field that is not set, or a list that is empty, does not restrict the selection.
///
/// ```
/// use onward_types::{Filter, Status};
/// let failed = Filter { statuses: vec![Status::Failed], workflows: vec!["checkout".into()], ..Filter::default() };
/// assert!(failed.with_input && !failed.oldest_first);
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only runs with one of these ids.
    pub ids: Vec<RunId>,
    /// Only runs whose id begins with this.
    pub id_prefix: Option<String>,
    /// Only runs in one of these states.
    pub statuses: Vec<Status>,
    /// Only runs of one of these workflows.
    pub workflows: Vec<String>,
    /// Only runs of one of these versions. An empty string means runs whose version is open.
    pub versions: Vec<String>,
    /// Only runs that work on behalf of this user.
    pub user: Option<String>,
    /// Only runs that this executor owns now.
    pub executor: Option<ExecutorId>,
    /// Only the children of this run.
    pub parent: Option<RunId>,
    /// `true`: only runs that another run started; `false`: only runs that no run started.
    pub has_parent: Option<bool>,
    /// Only runs that were forked from this run.
    pub forked_from: Option<RunId>,
    /// `true`: only runs that are forks; `false`: only runs that are not.
    pub is_fork: Option<bool>,
    /// `true`: only runs that existing runs were forked from; `false`: only the other runs.
    pub was_forked_from: Option<bool>,
    /// Only runs whose attributes include each of these: a JSON object of strings, numbers, booleans and nulls.
    pub attributes: Option<Json>,
    /// Only runs created in this window.
    pub created: Window,
    /// Only runs first started in this window.
    pub started: Window,
    /// Only runs that ended in this window.
    pub finished: Window,
    /// Only runs of this queue.
    pub queue: Option<String>,
    /// Only open runs of queues: delayed, waiting, running or paused.
    pub queued: bool,
    /// Oldest first instead of newest first, by creation time.
    pub oldest_first: bool,
    /// The maximum number of runs. In a list at most 10,000; `None` means 100. In an operation on runs it limits how many are
    /// changed; `None` means all.
    pub limit: Option<u32>,
    /// Confirms that an operation applies to all runs if nothing else is set. Without it such a filter is refused as a likely
    /// mistake. Lists ignore it.
    pub all: bool,
    /// Continue after this run: the `next` of the previous page.
    pub after: Option<RunKey>,
    /// Whether inputs are read. Default: `true`.
    pub with_input: bool,
    /// Whether outputs are read. Default: `true`.
    pub with_output: bool,
}

impl Filter {
    /// Selects all runs, for an operation on all of them.
    #[must_use]
    pub fn all() -> Filter {
        Filter { all: true, ..Filter::default() }
    }

    /// Whether it selects all runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Filter { ids, id_prefix, statuses, workflows, versions, user, executor, parent, has_parent, .. } = self;
        let Filter { forked_from, is_fork, was_forked_from, attributes, created, started, finished, .. } = self;
        let lists = [ids.is_empty(), statuses.is_empty(), workflows.is_empty(), versions.is_empty()];
        let texts = [id_prefix.as_deref().is_none_or(str::is_empty), user.is_none(), self.queue.is_none()];
        let runs = [executor.is_none(), parent.is_none(), forked_from.is_none(), attributes.is_none()];
        let answers = [has_parent, is_fork, was_forked_from].iter().all(|asked| asked.is_none());
        let times = [created, started, finished].iter().all(|window| **window == Window::default());
        [&lists[..], &texts, &runs].concat().into_iter().all(|empty| empty) && answers && times && !self.queued
    }

    /// The same filter, restricted to runs whose attributes include each of these: a map or a struct of strings, numbers,
    /// booleans and nulls.
    ///
    /// # Errors
    /// [`Code::Encode`] if they cannot be encoded as JSON.
    pub fn with_attributes(self, attributes: impl Serialize) -> Result<Filter, Error> {
        Ok(Filter { attributes: Some(Json::encode(&attributes)?), ..self })
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            ids: Vec::new(),
            id_prefix: None,
            statuses: Vec::new(),
            workflows: Vec::new(),
            versions: Vec::new(),
            user: None,
            executor: None,
            parent: None,
            has_parent: None,
            forked_from: None,
            is_fork: None,
            was_forked_from: None,
            attributes: None,
            created: Window::default(),
            started: Window::default(),
            finished: Window::default(),
            queue: None,
            queued: false,
            oldest_first: false,
            limit: None,
            all: false,
            after: None,
            with_input: true,
            with_output: true,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The run after which the next page begins, if there is one.
    pub next: Option<RunKey>,
}

/// A duration in JSON: whole milliseconds, rounded up so that a short duration is never 0.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes the field as it is")]
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_nanos().div_ceil(1_000_000)).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::deserialize(from)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Timed {
        #[serde(rename = "timeout_ms", with = "millis", default)]
        timeout: Option<Duration>,
    }

    #[test]
    fn a_timeout_is_written_in_milliseconds() {
        for (timeout, json) in
            [(Some(Duration::from_secs(172_800)), r#"{"timeout_ms":172800000}"#), (None, r#"{"timeout_ms":null}"#)]
        {
            let timed = Timed { timeout };
            assert_eq!(serde_json::to_string(&timed).unwrap(), json);
            assert_eq!(serde_json::from_str::<Timed>(json).unwrap(), timed);
        }
        let short = Timed { timeout: Some(Duration::from_micros(20)) };
        assert_eq!(serde_json::to_string(&short).unwrap(), r#"{"timeout_ms":1}"#);
        assert_eq!(serde_json::from_str::<Timed>("{}").unwrap(), Timed { timeout: None });
    }
}
