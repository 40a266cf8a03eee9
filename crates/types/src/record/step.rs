//! The durable calls of a run as seen from outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::payload;
use crate::{Code, Cursor, Error, Json, PersonRequest, RunId, Timestamp};

/// The kind of a durable call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
    /// A pause of the run by itself.
    Pause,
    /// The cancellation of a run.
    Cancel,
    /// The sending of a payload to a hook.
    ResumeHook,
    /// The merging of attributes into those of the run.
    Attributes,
    /// The beginning of the next generation of the run. It is never recorded: the next generation begins with nothing recorded.
    Continue,
}

impl StepKind {
    /// All kinds.
    pub const ALL: [StepKind; 20] = [
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
        StepKind::Pause,
        StepKind::Cancel,
        StepKind::ResumeHook,
        StepKind::Attributes,
        StepKind::Continue,
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
            StepKind::Pause => "pause",
            StepKind::Cancel => "cancel",
            StepKind::ResumeHook => "resume_hook",
            StepKind::Attributes => "attributes",
            StepKind::Continue => "continue",
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
#[non_exhaustive]
pub enum StepState {
    /// In progress, between two attempts, or interrupted by a crash.
    Running,
    /// Waits for a timer, a child, a message or an event, or for the run to be resumed.
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
    ///
    /// ```
    /// use onward_types::StepState;
    ///
    /// assert!(StepState::Waiting.is_open() && !StepState::Failed.is_open());
    /// ```
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, StepState::Running | StepState::Waiting)
    }

    /// The state as text, the same in JSON and for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            StepState::Running => "running",
            StepState::Waiting => "waiting",
            StepState::Succeeded => "succeeded",
            StepState::Failed => "failed",
            StepState::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One durable call of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its place in the order of the run's calls. A patch has none: its position is above those of all calls.
    pub position: u32,
    /// The place of its result in the order of results, from 0, if it is recorded. The run gets results in this order, live and
    /// on replay. A patch was taken after the result before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What kind of call it is.
    pub kind: StepKind,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: StepState,
    /// The recorded output.
    #[serde(default, with = "payload", skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// The recorded error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Json>,
    /// The child run it started or waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
    /// When it first started.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What a person had or has to do, if the call waits for a person. The time from `started_at` to `finished_at` is the time
    /// that people took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonRequest>,
    /// The notes that the body of the step made in the attempt whose result was recorded, as a JSON object. Those of the failed
    /// attempts before it are in `attempts`, so that numbers in notes can be summed over both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Json>,
    /// Its recorded attempts, oldest first: those that failed, were slow, were interrupted or sent a heartbeat. A quick success
    /// records none. Of very many attempts only the first 10 and the last 40 are kept.
    pub attempts: Vec<Attempt>,
    /// How many attempts, between the first 10 and the last 40, were recorded and not kept.
    #[serde(default)]
    pub attempts_dropped: u32,
}

impl StepRecord {
    /// The latest recorded heartbeat of the step, whichever attempt sent it.
    ///
    /// ```
    /// # use onward_types::StepRecord;
    /// fn progress(step: &StepRecord) -> String {
    ///     match step.last_heartbeat() {
    ///         Some(heartbeat) => format!("{} at {}: {}", step.name, heartbeat.at, heartbeat.progress.as_str()),
    ///         None => step.name.clone(),
    ///     }
    /// }
    /// # let json = r#"{"position":0,"kind":"step","name":"convert","state":"running","attempts":[]}"#;
    /// # assert_eq!(progress(&serde_json::from_str(json).unwrap()), "convert");
    /// ```
    #[must_use]
    pub fn last_heartbeat(&self) -> Option<&Heartbeat> {
        self.attempts.iter().rev().find_map(|attempt| attempt.heartbeat.as_ref())
    }
}

/// Selects durable calls of a run. In JSON every field may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepFilter {
    /// Only calls with one of these names; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Only calls from this position on.
    pub from: u32,
    /// The maximum number of calls: at most 10,000; `None` means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Continue after this place: the `next` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// The page that ends before this place: the `previous` of a page. Not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cursor>,
    /// Whether outputs are read. Default: `true`.
    pub with_output: bool,
}

impl Default for StepFilter {
    fn default() -> StepFilter {
        StepFilter { names: Vec::new(), from: 0, limit: None, after: None, before: None, with_output: true }
    }
}

/// A recorded attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When it started.
    #[serde(with = "crate::wire::instant")]
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs, or if a crash interrupted it.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Json>,
    /// The notes that the body made, as a JSON object, if it failed and was tried again. Those of the last attempt are with the
    /// step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Json>,
    /// The last heartbeat of the body that was recorded. After 40 attempts without one, the last heartbeat of an earlier attempt,
    /// which the following attempts are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
}

/// A heartbeat of the body of a step: what it said about its progress, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When it was sent.
    #[serde(with = "crate::wire::instant")]
    pub at: Timestamp,
    /// The progress.
    pub progress: Json,
}
