//! Why a run is in its state: decided once, from facts alone, as data. The sentence is made from the data.

mod sentence;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{Error, ExecutorId, HeldAt, Json, QueueWait, Retrying, Status, Timestamp, Wait, WaitFor};

/// Why a run is in its state. Its `Display` is the sentence for people, [`RunRecord::reason`](crate::RunRecord::reason).
///
/// ```
/// use onward_types::{Reason, ReasonKind, WaitFor};
/// let json = r#"{"kind":"message","topic":"approval","person":"Approve expense 17"}"#;
/// let why: Reason = serde_json::from_str(json)?;
/// assert!(matches!(&why.kind, ReasonKind::Wait(WaitFor::Message { topic, .. }) if topic == "approval"));
/// assert_eq!(why.to_string(), "waits for a person: Approve expense 17 (a message on topic `approval`)");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The reason itself. In JSON its fields are beside the others, and `kind` says which they are.
    #[serde(flatten)]
    pub kind: ReasonKind,
    /// What a person has to do, in one line, if it is a person that the run waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// How many more things it waits for: [`RunRecord::waits`](crate::RunRecord::waits) has all of them.
    #[serde(default)]
    pub more: u32,
    /// The executor that has the run still in memory, although it was cancelled, paused or deleted from it. It releases the run
    /// soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreleased: Option<ExecutorId>,
}

/// The kinds of reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonKind {
    /// It succeeded.
    Finished,
    /// It failed.
    Failed {
        /// The code of its error, if it can be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// The message of its error.
        message: String,
    },
    /// It was cancelled.
    Cancelled {
        /// Who cancelled it and why, in a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// It was given up after too many recoveries without progress.
    RetriesExceeded {
        /// The number of recoveries.
        recoveries: u32,
        /// The reason that was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// It was paused from outside, or its workflow paused it.
    Paused {
        /// Who paused it and why, in a sentence; if its workflow did, the reason that it gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
        /// The position of the call with which its workflow paused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
    },
    /// It is held: continuing would lose something.
    Held {
        /// The code of the error that holds it, if it can be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// What is wrong and what to do.
        message: String,
        /// The position of the call that cannot go on, if it is one call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
    },
    /// Its start was delayed.
    StartTime {
        /// When it starts or enters its queue.
        #[serde(with = "crate::wire::instant")]
        at: Timestamp,
    },
    /// An attempt of it has failed, and it pauses before the next one.
    NextAttempt {
        /// The number of the next attempt, from 2.
        attempt: u32,
        /// How many attempts there are.
        of: u32,
        /// When it starts or enters its queue.
        #[serde(with = "crate::wire::instant")]
        at: Timestamp,
        /// The code of the error of the attempt before, if it can be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// The message of that error.
        message: String,
    },
    /// Its process died several times while it was executed, and it pauses before it is executed again.
    Recovery {
        /// How many times its process died while it recorded nothing.
        deaths: u32,
        /// How many such deaths it survives before it is given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u32>,
        /// When it is executed again.
        #[serde(with = "crate::wire::instant")]
        at: Timestamp,
    },
    /// It waits in its queue.
    Queue(QueueWait),
    /// It could run, but no live executor has its workflow in its version.
    NoExecutor {
        /// The workflow.
        workflow: String,
        /// The version that is wanted; `None` if any version will do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The versions of the workflow that live executors have, sorted.
        #[serde(default)]
        there: Vec<String>,
    },
    /// It could run, and waits for an executor to take it.
    FreeExecutor,
    /// An executor executes it.
    Executing {
        /// The executor.
        executor: ExecutorId,
        /// The step in progress that sent the last heartbeat, if one has sent any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// When it sent its last heartbeat.
        #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
        heartbeat_at: Option<Timestamp>,
    },
    /// It is parked (suspended), and no call says what it waits for.
    Parked {
        /// When it is woken; `None` if something else has to wake it.
        #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A call of it waits. In JSON the kinds and fields are those of [`WaitFor`].
    #[serde(untagged)]
    Wait(WaitFor),
}

/// The facts that a reason is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The state.
    pub status: Status,
    /// The workflow's name.
    pub workflow: &'a str,
    /// The workflow's version; `None` if it is open.
    pub version: Option<&'a str>,
    /// The executor that owns the run.
    pub executor: Option<&'a ExecutorId>,
    /// Whether the run was revoked and its owner has not released it yet.
    pub revoked: bool,
    /// The earliest time at which it may be executed.
    pub ready_at: Option<Timestamp>,
    /// What it waits for.
    pub waits: &'a [Wait],
    /// Its queue, and what blocks it there.
    pub queue: Option<QueueWait>,
    /// The reason given when it was paused, cancelled or given up.
    pub said: Option<&'a str>,
    /// Its error, as recorded.
    pub error: Option<&'a Json>,
    /// The versions of the workflow that live executors have.
    pub there: &'a [String],
    /// How many times it was recovered without progress.
    pub recoveries: u32,
    /// The last heartbeat of a step in progress: the name of the step, and when it was sent.
    pub heartbeat: Option<(&'a str, Timestamp)>,
    /// How many times it may be, if that is known.
    pub max_recoveries: Option<u32>,
    /// Until when it pauses because its process died.
    pub recover_at: Option<Timestamp>,
    /// The attempt that is not the first one.
    pub retrying: Option<&'a Retrying>,
    /// The time of the read.
    pub now: Timestamp,
}

impl From<ReasonKind> for Reason {
    fn from(kind: ReasonKind) -> Reason {
        Reason { kind, person: None, more: 0, unreleased: None }
    }
}

impl Reason {
    /// Decides from facts.
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Reason {
        let unreleased = facts.executor.filter(|_| facts.revoked).cloned();
        Reason { unreleased, ..state(facts) }
    }
}

fn state(facts: &Facts<'_>) -> Reason {
    let said = || facts.said.map(str::to_owned);
    match facts.status {
        Status::Succeeded => ReasonKind::Finished.into(),
        Status::Failed => {
            let (code, message) =
                facts.error.map_or_else(|| (None, said()), |error| (code(error), Some(message(error))));
            ReasonKind::Failed { code, message: message.unwrap_or_else(|| "failed".to_owned()) }.into()
        }
        Status::Cancelled => ReasonKind::Cancelled { said: said() }.into(),
        Status::Paused => match (paused_itself(facts.waits), facts.error) {
            (None, Some(error)) => ReasonKind::Held {
                code: code(error),
                message: said().unwrap_or_else(|| message(error)),
                position: HeldAt::of(error),
            },
            (position, _) => ReasonKind::Paused { said: said(), position },
        }
        .into(),
        Status::RetriesExceeded => ReasonKind::RetriesExceeded { recoveries: facts.recoveries, said: said() }.into(),
        Status::Delayed | Status::Enqueued | Status::Running => match facts.executor {
            Some(executor) => waiting(facts.waits).unwrap_or_else(|| executing(executor, facts.heartbeat).into()),
            None => without_executor(facts),
        },
    }
}

fn executing(executor: &ExecutorId, heartbeat: Option<(&str, Timestamp)>) -> ReasonKind {
    let (step, heartbeat_at) = heartbeat.map(|(step, at)| (step.to_owned(), at)).unzip();
    ReasonKind::Executing { executor: executor.clone(), step, heartbeat_at }
}

/// The position of the call with which the workflow paused its run, while it is paused by it.
fn paused_itself(waits: &[Wait]) -> Option<u32> {
    let is_open = |wait: &&Wait| matches!(wait.wait_for, WaitFor::Resume { resumed_at: None });
    waits.iter().find(is_open).map(|wait| wait.position)
}

fn without_executor(facts: &Facts<'_>) -> Reason {
    let due = facts.ready_at.is_some_and(|at| at <= facts.now);
    let is_known = match facts.version {
        Some(version) => facts.there.iter().any(|there| there == version),
        None => !facts.there.is_empty(),
    };
    if let (Status::Enqueued, None, Some(queue)) = (facts.status, facts.ready_at, &facts.queue) {
        return match queue.blocked {
            None if !is_known => no_executor(facts),
            _ => ReasonKind::Queue(queue.clone()).into(),
        };
    }
    match (facts.status, facts.ready_at) {
        _ if due && !is_known => no_executor(facts),
        _ if due => ReasonKind::FreeExecutor.into(),
        (Status::Delayed, Some(at)) => match facts.retrying {
            Some(Retrying { attempt, of, error }) => {
                let (attempt, of) = (*attempt, *of);
                ReasonKind::NextAttempt { attempt, of, at, code: code(error), message: message(error) }
            }
            None => ReasonKind::StartTime { at },
        }
        .into(),
        (Status::Running, Some(at)) if facts.recover_at.is_some() => {
            ReasonKind::Recovery { deaths: facts.recoveries, of: facts.max_recoveries, at }.into()
        }
        (_, until) => waiting(facts.waits).unwrap_or_else(|| ReasonKind::Parked { until }.into()),
    }
}

fn no_executor(facts: &Facts<'_>) -> Reason {
    let mut there = facts.there.to_vec();
    there.sort_unstable_by(|a, b| crate::by_version(a, b));
    there.dedup();
    let version = facts.version.map(str::to_owned);
    ReasonKind::NoExecutor { workflow: facts.workflow.to_owned(), version, there }.into()
}

/// What the run waits for: a child if there is one, else a message or an event, else the earliest timer.
fn waiting(waits: &[Wait]) -> Option<Reason> {
    let first = |is: fn(&WaitFor) -> bool| waits.iter().find(|wait| is(&wait.wait_for));
    let child = || first(|wait| matches!(wait, WaitFor::Child { .. }));
    let said = || first(|wait| until(wait).is_none());
    let timer = || waits.iter().min_by_key(|wait| until(&wait.wait_for));
    let shown = child().or_else(said).or_else(timer)?;
    Some(Reason {
        person: shown.person.as_ref().map(|request| request.title.clone()),
        more: u32::try_from(waits.len() - 1).unwrap_or(u32::MAX),
        ..ReasonKind::Wait(shown.wait_for.clone()).into()
    })
}

/// When a wait ends that only time ends.
fn until(wait: &WaitFor) -> Option<Timestamp> {
    match wait {
        WaitFor::Timer { until } | WaitFor::Retry { until, .. } => Some(*until),
        WaitFor::Message { .. }
        | WaitFor::Hook { .. }
        | WaitFor::Child { .. }
        | WaitFor::Event { .. }
        | WaitFor::Resume { .. } => None,
    }
}

fn code(error: &Json) -> Option<String> {
    Error::from_json(error).ok().map(|error| error.code().to_owned())
}

fn message(error: &Json) -> String {
    match Error::from_json(error) {
        Ok(error) => error.message().to_owned(),
        Err(_) => error.to_string(),
    }
}
