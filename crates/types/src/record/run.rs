//! A run as seen from outside: its full record.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Origin, millis, payload};
use crate::{Error, ExecutorId, Json, ParentEnd, Reason, RunId, RunKey, Status, Steering, Timestamp, Wait};

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
    /// [`Code::Invalid`](crate::Code::Invalid), naming the part that is empty, too long, or contains control characters.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The state.
    pub status: Status,
    /// Why it is in that state, in a sentence made from [`why`](RunRecord::why).
    pub reason: String,
    /// Why it is in that state, as data.
    pub why: Reason,
    /// Everything that it waits for, in the order of the calls that wait. Empty unless it is running.
    #[serde(default)]
    pub waits: Vec<Wait>,
    /// What stopped it, while it is cancelled or paused: a client, the workflow of another run or its own, a deadline, the
    /// executor that holds it, or an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steered: Option<Steering>,
    /// The input. `None` in a list without inputs.
    #[serde(default, with = "payload", skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// The output, once it succeeded; `None` in a list without outputs.
    #[serde(default, with = "payload", skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// The error, once it failed; while it is held, the error that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Json>,
    /// When it was created.
    #[serde(with = "crate::wire::instant")]
    pub created_at: Timestamp,
    /// When its state or its owner last changed.
    #[serde(with = "crate::wire::instant")]
    pub updated_at: Timestamp,
    /// When it first started.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The earliest time at which it may be executed, while no executor owns it.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// How long it may take from its first start. In JSON: whole milliseconds, as `timeout_ms`.
    #[serde(rename = "timeout_ms", default, with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// When it is cancelled if it has not ended by then.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The executor that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<ExecutorId>,
    /// The executor that owns it or was the last to own it. `None` if no executor has owned it, or if that was before Onward
    /// recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_executor: Option<ExecutorId>,
    /// The ownership epoch: how many times an executor has claimed it.
    pub owners: u32,
    /// How many times its process died while it was executed and had recorded nothing since the death before.
    pub recoveries: u32,
    /// How many such deaths it survives before it is given up. `None` until its first recovery if it was not given when it was
    /// started: then the limit of its workflow counts, else that of the executor that recovers it, 10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_recoveries: Option<u32>,
    /// The attempt that is executed or comes next, from 1. An attempt that fails is followed by another one if the run is retried.
    #[serde(default = "first")]
    pub attempt: u32,
    /// How many attempts there are: as given when it was started or, once an attempt has failed, as it is retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The error with which the attempt before failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Json>,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
    /// The run that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The position of the parent's call that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_position: Option<u32>,
    /// What becomes of it when its parent ends, if that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_parent_end: Option<ParentEnd>,
    /// The run that it was forked from, unless that was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<RunId>,
    /// The position at which it departs from the run that it was forked from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork_position: Option<u32>,
    /// The user on whose behalf it works.
    pub identity: Identity,
    /// The attributes that were given when it was started, as a JSON object. They can be changed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Json>,
    /// The queue in which it waits or has waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Its priority in the queue: lower numbers run first. 0, for runs without a priority, comes before all others.
    pub priority: u32,
    /// Its partition key: runs of the queue with the same key share the limits of a partition (a concurrency key).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Its dedup key, which no other open run of its queue has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup: Option<String>,
    /// Its generation, from 1: one more each time it continued with another input, and with each attempt after the first.
    #[serde(default = "first")]
    pub generation: u32,
}

const fn first() -> u32 {
    1
}

impl RunRecord {
    /// Whether people alone can move it on: it is running, and every call that waits waits for a person. A step that runs beside
    /// such a call is not seen here. For [`Status::retab`].
    #[must_use]
    pub fn waits_for_person(&self) -> bool {
        self.status == Status::Running && !self.waits.is_empty() && self.waits.iter().all(|wait| wait.person.is_some())
    }
}
