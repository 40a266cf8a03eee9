//! Rehearsals: the recorded history of a run against the code of today. Nothing begins that is not recorded, so no body runs; the
//! history comes from a file, and is read back from a scratch database in memory.

use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use onward_store::{Archive, Clock, Codec, DatabaseUrl, History, LeaveHow, OpenWait, Outcome, Store, WaitKind};
use onward_types::{Code, Error, HeldAt, Json, Result, RunId, Status, StepKind, guarded};

use super::Builder;
use crate::client::Client;
use crate::executor::registry::Registry;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::drive::{Ended, drive};
use crate::executor::run::leaving::Stop;
use crate::states::States;

/// How often a workflow that goes on without waiting for anything is polled again.
const POLLS_MAX: u32 = 1_000;

/// The workflows against which histories are replayed.
pub struct Rehearsal {
    registry: Registry,
    states: Arc<States>,
    codec: Option<Arc<dyn Codec>>,
}

/// What the replay of one run has shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The version with which it was recorded.
    pub version: String,
    /// What it came to.
    pub verdict: Verdict,
}

/// What the replay of a recorded run came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The code makes every recorded call and returns the recorded result.
    Finished,
    /// The run had not ended, and the code waits behind its history in these calls, as in ``position 3: sleep `sleep` ``.
    Waits(Vec<String>),
    /// The run had not ended. The code makes every recorded call, and then returns.
    Finishes,
    /// The code makes other calls than those that are recorded.
    Diverged {
        /// The position of the recorded call, if one is missing or another one is made in its place.
        position: Option<u32>,
        /// What is recorded, and what the code does.
        message: String,
    },
    /// The code makes every recorded call, and returns something else than what is recorded.
    Differs {
        /// The recorded result as JSON: the output, or the error.
        recorded: String,
        /// The result of the code.
        returned: String,
    },
    /// A recorded value cannot be read, for example because its type was changed.
    Unreadable(String),
    /// The workflow panicked.
    Panicked(String),
    /// The workflow is not among those that were given, or not in the version of the run.
    Unknown(String),
}

impl Verdict {
    /// Whether the code may be deployed as far as this run is concerned.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        matches!(self, Verdict::Finished | Verdict::Waits(_) | Verdict::Finishes)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Finished => f.write_str("finished as recorded"),
            Verdict::Waits(calls) if calls.is_empty() => f.write_str("stops where the recorded run stops"),
            Verdict::Waits(calls) => write!(f, "waits where the recorded run waits: {}", calls.join(", ")),
            Verdict::Finishes => f.write_str("finishes, while the recorded run had not ended"),
            Verdict::Diverged { message, .. } => write!(f, "diverged: {message}"),
            Verdict::Differs { recorded, returned } => {
                write!(f, "the run recorded the result {recorded}, but the code now returns {returned}")
            }
            Verdict::Unreadable(message) => write!(f, "a recorded value cannot be read: {message}"),
            Verdict::Panicked(message) | Verdict::Unknown(message) => f.write_str(message),
        }
    }
}

impl std::fmt::Display for Replayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Replayed { run, workflow, version, verdict } = self;
        write!(f, "run `{run}` ({workflow} {version}): {verdict}")
    }
}

impl Builder {
    /// Prepare the replay of recorded runs with the workflows, the states and the codec of this builder. Its database is not opened.
    ///
    /// # Errors
    /// `invalid` if two workflows have the same name and version.
    #[doc(hidden)]
    pub fn rehearsal(self) -> Result<Rehearsal, Error> {
        Ok(Rehearsal { registry: self.registry.checked()?, states: Arc::new(self.states), codec: self.codec })
    }
}

impl Rehearsal {
    /// Replay every run of a file that [`export`](crate::WorkflowHandle::export) made.
    ///
    /// # Errors
    /// `invalid` if the file cannot be parsed.
    pub async fn replay(&self, file: &str) -> Result<Vec<Replayed>, Error> {
        let url: DatabaseUrl = "sqlite::memory:".parse()?;
        let mut store = Store::open(&url, Clock::system()).await?;
        if let Some(codec) = &self.codec {
            store = store.with_codec(codec.clone());
        }
        let client = Client::on(store.clone());
        let mut all = Vec::new();
        for id in store.import(Archive::parse(file)?, None).await? {
            let record = client.handle_named(id.as_str()).describe().await?;
            let missing = || Error::new(Code::Corrupt, format!("internal error: run `{id}` was not imported"));
            let outcome = store.outcome(record.key).await?.ok_or_else(missing)?;
            let (_, history) = store.load(vec![record.key]).await?.pop().ok_or_else(missing)?;
            let (workflow, version) = (record.workflow, record.version.unwrap_or_default());
            let verdict = match history {
                Ok(history) => self.judge(history, &outcome, &workflow, &version).await,
                Err(error) => Verdict::Unreadable(error.message().to_owned()),
            };
            all.push(Replayed { run: id, workflow, version, verdict });
        }
        client.close();
        Ok(all)
    }

    async fn judge(&self, history: History, recorded: &Outcome, workflow: &str, version: &str) -> Verdict {
        let Some(registered) = self.registry.get(workflow, version) else { return self.unknown(workflow, version) };
        let waits = history.waits.clone();
        let input = history.input.clone();
        let core = RunCore::rehearsed(history, Clock::system(), self.states.clone());
        let begun = guarded(|| (registered.run)(Ctx::of(core.clone()), &input));
        let running = match begun {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => return Verdict::Unreadable(error.message().to_owned()),
            Err(said) => return Verdict::Panicked(format!("decoding the input panicked: {said}")),
        };
        let mut driving = Box::pin(drive(&core, running, &registered.failing, registered.errors));
        let mut ended = None;
        for _ in 0..POLLS_MAX {
            ended = (&mut driving).now_or_never();
            if ended.is_some() || core.with_state(|state| state.is_past_history()) {
                break;
            }
            tokio::task::yield_now().await;
        }
        let open = core.with_state(|state| state.open_calls());
        let left = core.with_state(|state| state.next_recorded_call());
        if ended.is_none() {
            // The workflow is dropped as at a shutdown.
            core.stop(Stop::ReleaseNow);
            futures_util::future::poll_fn(|cx| Poll::Ready(driving.poll_unpin(cx).is_ready())).await;
        }
        match (ended, left) {
            (Some(ended), _) => at_end(ended, recorded),
            (None, Some((position, call))) => Verdict::Diverged {
                position: Some(position),
                message: format!(
                    "the run recorded {call} at position {position}, but the code waits for something else"
                ),
            },
            (None, None) => at_rest(&open, &waits, recorded),
        }
    }

    fn unknown(&self, workflow: &str, version: &str) -> Verdict {
        let versions = self.registry.versions(workflow);
        Verdict::Unknown(match versions.is_empty() {
            true => format!("workflow `{workflow}` is not among those that were given"),
            false => format!(
                "the run needs `{workflow}` in version {version}, and the code has version {}: it would wait for an executor that has \
                 version {version}",
                versions.join(", ")
            ),
        })
    }
}

/// The code returned, or cannot go on.
fn at_end(ended: Ended, recorded: &Outcome) -> Verdict {
    let result = match ended {
        Ended::Finished(result) => result.map_err(|error| error.to_json()),
        Ended::Held(error) => return held(&error),
        // It would be attempted again, and the recorded run was not.
        Ended::Departs(LeaveHow::Retried(next)) if recorded.status.is_terminal() => Err(next.retrying.error),
        Ended::Departs(_) | Ended::Parked(_) | Ended::Released | Ended::Revoked | Ended::Fenced => {
            return Verdict::Waits(Vec::new());
        }
    };
    let was = match recorded.status {
        Status::Succeeded => Ok(recorded.output.clone().unwrap_or_else(Json::null)),
        Status::Failed => Err(recorded.error.clone().unwrap_or_else(Json::null)),
        _ => return Verdict::Finishes,
    };
    if result == was {
        return Verdict::Finished;
    }
    let shown = |result: Result<Json, Json>| match result {
        Ok(output) => output.as_str().to_owned(),
        Err(error) => format!("the error {}", error.as_str()),
    };
    Verdict::Differs { recorded: shown(was), returned: shown(result) }
}

fn held(error: &Error) -> Verdict {
    let message = error.message().to_owned();
    match error.kind() {
        Code::Diverged => {
            let position = error.clone().downcast::<HeldAt>().ok().map(|at| at.position);
            Verdict::Diverged { position, message }
        }
        Code::Panicked => Verdict::Panicked(message),
        _ => Verdict::Unreadable(message),
    }
}

/// The code waits behind the end of the history.
fn at_rest(open: &[(u32, StepKind, Arc<str>)], waits: &[OpenWait], recorded: &Outcome) -> Verdict {
    let calls: Vec<String> = open.iter().map(|(at, kind, name)| format!("position {at}: {kind} `{name}`")).collect();
    let doing = if calls.is_empty() { "makes no durable call".to_owned() } else { calls.join(", ") };
    if matches!(recorded.status, Status::Succeeded | Status::Failed) {
        let message = format!("the run ended there ({}), but the code goes on: {doing}", recorded.status);
        return Verdict::Diverged { position: None, message };
    }
    let missing = waits.iter().find(|wait| {
        !open.iter().any(|(position, kind, _)| *position == wait.position && kinds(&wait.wait).contains(kind))
    });
    match missing {
        Some(OpenWait { position, wait, .. }) => Verdict::Diverged {
            position: Some(*position),
            message: format!(
                "the run waits for {} at position {position}, but the code does not: {doing}",
                named(wait)
            ),
        },
        None => Verdict::Waits(calls),
    }
}

/// The kinds of calls that open such a wait.
fn kinds(wait: &WaitKind) -> &'static [StepKind] {
    match wait {
        WaitKind::Timer(_) => &[StepKind::Sleep],
        WaitKind::Retry(_) => &[StepKind::Step, StepKind::Transaction],
        WaitKind::Child(_) => &[StepKind::Child],
        WaitKind::Message { .. } => &[StepKind::Recv],
        WaitKind::Event { .. } => &[StepKind::GetEvent],
        WaitKind::Resume { .. } => &[StepKind::Pause],
    }
}

fn named(wait: &WaitKind) -> String {
    match wait {
        WaitKind::Timer(_) => "a timer".to_owned(),
        WaitKind::Retry(_) => "the next attempt of a step".to_owned(),
        WaitKind::Child(_) => "a child run".to_owned(),
        WaitKind::Message { topic, .. } => format!("a message on `{topic}`"),
        WaitKind::Event { run, key, .. } => format!("event `{key}` of run `{run}`"),
        WaitKind::Resume { .. } => "its resumption".to_owned(),
    }
}
