//! What can be known of a run from outside: the full record, its steps, its waits, and how lists are asked for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, ExecutorId, Json, RunId, RunKey, Status, Timestamp};

/// A workflow and the version of it that a run was started with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkflowVersion {
    /// The name of the workflow.
    pub name: String,
    /// Its version, given by the author.
    pub version: String,
}

impl WorkflowVersion {
    /// A workflow and its version.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> WorkflowVersion {
        WorkflowVersion { name: name.into(), version: version.into() }
    }
}

/// On whose behalf a run works. Onward keeps it and gives it back; it checks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user who started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The role with which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Every role that the user could have taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The class of the workflow, where a client's language has classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// The name of the configured instance of that class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_name: Option<String>,
    /// The trace that it is a part of, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Identity {
    /// Accept the identity if every database can hold and show each of its names.
    ///
    /// # Errors
    /// [`Code::Invalid`], naming the part that is empty, too long or has control characters.
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

/// All that is known of a run, as of one read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The id for people.
    pub id: RunId,
    /// The id for tables, never used again.
    pub key: RunKey,
    /// The workflow.
    pub workflow: String,
    /// The version of the workflow; none as long as it is open. A run that was started by the name of its workflow alone gets
    /// the newest version of the executor that claims it, and keeps that.
    #[serde(default)]
    pub version: Option<String>,
    /// The state.
    pub status: Status,
    /// Why it is in that state, in a sentence made from facts.
    pub reason: String,
    /// The input; `null` where a list was asked for without inputs.
    pub input: Json,
    /// The output, once it succeeded; none where a list was asked for without outputs.
    pub output: Option<Json>,
    /// The error, once it failed; or what holds it, while it is paused.
    pub error: Option<Json>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its state or its owner last changed.
    pub updated_at: Timestamp,
    /// When it first ran.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// From when on it may be executed, while no executor has it.
    pub ready_at: Option<Timestamp>,
    /// How long it may take, counted from its first start. In JSON: whole milliseconds, as `timeout_ms`.
    #[serde(rename = "timeout_ms", with = "millis", default)]
    pub timeout: Option<Duration>,
    /// When it is cancelled, if it has not ended by then.
    pub deadline: Option<Timestamp>,
    /// The executor that has it.
    pub executor: Option<ExecutorId>,
    /// How many executors have had it, one after another.
    pub owners: u32,
    /// How often it was recovered without having made progress since the time before.
    pub recoveries: u32,
    /// How often that may happen.
    pub recoveries_max: u32,
    /// The run that started it.
    pub parent: Option<RunId>,
    /// Where in its parent's order it was started.
    pub parent_position: Option<u32>,
    /// The run that it was forked from, while that one is there.
    #[serde(default)]
    pub forked_from: Option<RunId>,
    /// From which position on it goes its own way, if it was forked.
    #[serde(default)]
    pub fork_position: Option<u32>,
    /// On whose behalf it works.
    pub identity: Identity,
    /// Facts that the starter attached, as a JSON object.
    pub attributes: Option<Json>,
    /// The queue in which it waits or has waited.
    pub queue: Option<String>,
    /// Its priority there: lower numbers come first; 0, for runs that were given none, before all.
    pub priority: u32,
    /// What it shares the limits of a partition by.
    pub partition: Option<String>,
    /// What no other open run of its queue has.
    pub dedup: Option<String>,
}

/// What kind of durable call a checkpoint records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A step body.
    Step,
    /// A step whose SQL and record are one commit.
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
    /// A message that was received.
    Recv,
    /// A message to another run.
    Send,
    /// An event that was set.
    Event,
    /// An event that was read, of this run or another.
    GetEvent,
    /// A chunk appended to a stream, or its end.
    Stream,
    /// A hook that was opened.
    Hook,
}

impl StepKind {
    /// Every kind.
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

    /// The kind as tables and people name it.
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
        found.ok_or_else(|| Error::new(Code::Corrupt, format!("`{text}` is no kind of durable call")))
    }
}

/// Where a durable call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Under way, between two attempts, or interrupted by a crash.
    Running,
    /// Waits for a timer, a child, a message or an event.
    Waiting,
    /// Recorded with an output.
    Succeeded,
    /// Recorded with an error.
    Failed,
    /// Given up before it came to anything: it lost a race, or its run ended without it.
    Cancelled,
}

impl StepState {
    /// Whether something may still come of it.
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
    /// Where it stands.
    pub state: StepState,
    /// The recorded output.
    pub output: Option<Json>,
    /// The recorded error.
    pub error: Option<Json>,
    /// The child run it started or waits for.
    pub child: Option<RunId>,
    /// When it first began.
    pub started_at: Option<Timestamp>,
    /// When its result was known.
    pub completed_at: Option<Timestamp>,
    /// Attempts that failed, were slow or were interrupted, oldest first. A quick success leaves none.
    pub attempts: Vec<Attempt>,
}

/// Which durable calls of a run are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepFilter {
    /// From which position on. The next page begins after the last position of this one.
    pub from: u32,
    /// How many at the most; none means all.
    pub limit: Option<u32>,
    /// Whether outputs are read. The default is that they are.
    pub with_output: bool,
}

impl Default for StepFilter {
    fn default() -> StepFilter {
        StepFilter { from: 0, limit: None, with_output: true }
    }
}

/// One attempt of a step that was worth a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it runs, or where a crash interrupted it.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Json>,
}

/// What a run waits for at one position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The position of the call that waits.
    pub position: u32,
    /// What has to happen.
    #[serde(rename = "for")]
    pub wait_for: WaitFor,
    /// Since when.
    pub since: Timestamp,
}

/// What has to happen for a wait to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// A timer is due.
    Timer {
        /// When.
        due_at: Timestamp,
    },
    /// A step's next attempt is due.
    Retry {
        /// When.
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
        /// On which topic.
        topic: String,
        /// Until when it waits, if not for ever.
        due_at: Option<Timestamp>,
    },
    /// An event is set, by a run that need not be there yet.
    Event {
        /// By which run.
        run: RunId,
        /// Which event.
        key: String,
        /// Until when it waits.
        due_at: Timestamp,
    },
}

/// An event of a run: its latest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Under which key it was set.
    pub key: String,
    /// Its latest value.
    pub value: Json,
    /// When it was set last.
    pub updated_at: Timestamp,
}

/// What one place of a stream holds.
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
    /// How many bytes it has.
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

    /// The kind as tables name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            ChunkBody::Json(_) => "json",
            ChunkBody::Bytes(_) => "bytes",
            ChunkBody::Close => "close",
        }
    }
}

/// A chunk of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its place in the stream, from 0.
    pub index: i64,
    /// The call that appended it, or the step in whose body that was done.
    pub position: u32,
    /// In which attempt of the step, from 1; 0 if the workflow itself appended it.
    pub attempt: u32,
    /// Whether it stays: the attempt is the one whose result was recorded. None while the step has no result.
    pub committed: Option<bool>,
    /// What it holds.
    pub body: ChunkBody,
    /// When it was appended.
    pub appended_at: Timestamp,
}

/// How far a stream is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// Its key.
    pub key: String,
    /// The index of its last chunk; -1 if it has none.
    pub tail: i64,
    /// Whether the run closed it.
    pub closed: bool,
}

/// A span of time. An end that is not set does not bound it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// At this instant or later.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Window {
    /// At this instant or later.
    #[must_use]
    pub const fn from(at: Timestamp) -> Window {
        Window { from: Some(at), until: None }
    }

    /// Before this instant.
    #[must_use]
    pub const fn until(at: Timestamp) -> Window {
        Window { from: None, until: Some(at) }
    }
}

/// Which runs are meant. What is not set does not filter, and a list that is empty does not either.
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
    /// Only runs whose id begins so.
    pub id_prefix: Option<String>,
    /// Only runs in one of these states.
    pub statuses: Vec<Status>,
    /// Only runs of one of these workflows.
    pub workflows: Vec<String>,
    /// Only runs of one of these versions. An empty one means runs whose version is open.
    pub versions: Vec<String>,
    /// Only runs that work on behalf of this user.
    pub user: Option<String>,
    /// Only runs that this executor has now.
    pub executor: Option<ExecutorId>,
    /// Only the children of this run.
    pub parent: Option<RunId>,
    /// Only runs that another run started, or only those that none did.
    pub has_parent: Option<bool>,
    /// Only runs that were forked from this run.
    pub forked_from: Option<RunId>,
    /// Only runs that were forked from another, or only those that were not.
    pub is_fork: Option<bool>,
    /// Only runs from which others were forked that are there, or only those from which none were.
    pub was_forked_from: Option<bool>,
    /// Only runs whose attributes hold each of these: a JSON object of texts, numbers, booleans and nulls.
    pub attributes: Option<Json>,
    /// Only runs that were created then.
    pub created: Window,
    /// Only runs that first ran then.
    pub started: Window,
    /// Only runs that ended then.
    pub finished: Window,
    /// Only runs of this queue.
    pub queue: Option<String>,
    /// Only runs that are in a queue: they wait for their time or their turn there, run, or are paused, and have not ended.
    pub queued: bool,
    /// Oldest first instead of newest first, by the time of creation.
    pub oldest_first: bool,
    /// How many at the most. In a list up to 10,000, and 100 where nothing is said. Where something is done to all these runs,
    /// no more than that are changed, and all where nothing is said.
    pub limit: Option<u32>,
    /// Whether a filter that filters nothing means all runs there are, where something is done to them: without it such a
    /// filter is taken for a mistake, and refused. Lists do not ask.
    pub all: bool,
    /// Go on after this run: the `next` of the page before.
    pub after: Option<RunKey>,
    /// Whether inputs are read. The default is that they are.
    pub with_input: bool,
    /// Whether outputs are read. The default is that they are.
    pub with_output: bool,
}

impl Filter {
    /// Every run there is, where something is to be done to all of them.
    #[must_use]
    pub fn all() -> Filter {
        Filter { all: true, ..Filter::default() }
    }

    /// Whether it means every run there is.
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

    /// The same, and only runs whose attributes hold each of these: a map or a struct of texts, numbers, booleans and
    /// nulls.
    ///
    /// # Errors
    /// [`Code::Encode`] where they are no JSON.
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
    /// What the page shows.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<RunKey>,
}

/// A duration in JSON: whole milliseconds. What is shorter than one is one, so that it never reads as none.
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
