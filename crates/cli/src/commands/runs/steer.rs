//! What the verbs have in common that steer runs: several runs, each of which may fail by itself, or all that filters mean.

use onward::{Client, Error, Filter, Status};
use serde::Serialize;

use super::Handle;
use crate::args::{Many, Which};
use crate::exit::{Exit, Failure};
use crate::output;

/// What came of one run.
#[derive(Serialize)]
struct Steered {
    id: String,
    /// Its state afterwards, if it is known.
    status: Option<Status>,
    reason: Option<String>,
    #[serde(flatten)]
    done: Done,
    /// Why it could not be steered.
    error: Option<Refusal>,
}

/// What was done beside moving the run.
#[derive(Default, Serialize)]
pub(super) struct Done {
    /// Whether anything changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<bool>,
    /// In which state the run was found.
    #[serde(skip)]
    pub(super) found: Option<Status>,
    /// How many runs changed with it.
    #[serde(skip)]
    pub(super) others: u64,
    /// How many sleeps were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sleeps: Option<u64>,
    /// The run that was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    /// How many runs are gone, this one among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deleted: Option<u64>,
}

impl From<onward::Steered> for Done {
    fn from(steered: onward::Steered) -> Done {
        let others = steered.runs.saturating_sub(1);
        Done { changed: Some(steered.changed()), found: Some(steered.found), others, ..Done::default() }
    }
}

impl Done {
    /// Whether it is known that nothing changed.
    pub(super) fn is_unchanged(&self) -> bool {
        self.changed == Some(false)
    }

    /// The runs that changed with it, as a sentence goes on.
    pub(super) fn and_others(&self, which: &str) -> String {
        match self.others {
            0 => String::new(),
            1 => format!(", and 1 run {which}"),
            others => format!(", and {others} runs {which}"),
        }
    }
}

#[derive(Serialize)]
struct Refusal {
    code: String,
    message: String,
}

/// Which runs a verb means.
pub(super) enum Meant {
    Ids(Vec<String>),
    Filter(Box<Filter>),
}

/// Which runs were named. To name none is no way to mean all of them.
pub(super) fn meant(many: Many) -> Result<Meant, Failure> {
    let Many { ids, all, which } = many;
    let has_filter = which != Which::default();
    match (ids.is_empty(), has_filter || all) {
        (false, false) => Ok(Meant::Ids(ids)),
        (false, true) => Err(Failure::new(Exit::Usage, "give ids or filters, not both")),
        (true, true) => Ok(Meant::Filter(Box::new(Filter { all, ..super::filter::filter(which)? }))),
        (true, false) => {
            Err(Failure::new(Exit::Usage, "which runs? Give their ids, or filters as `--status failed`, or `--all`"))
        }
    }
}

/// Steer each run, and go on after one that refuses. The exit code is that of the first refusal.
pub(super) async fn each(
    client: &Client,
    ids: Vec<String>,
    json: bool,
    steer: impl AsyncFn(&Handle) -> Result<Done, Error>,
    told: impl Fn(&Done, Option<Status>) -> String,
) -> Result<Exit, Failure> {
    let mut steered = Vec::new();
    let mut exit = Exit::Done;
    for id in ids {
        let handle = client.handle_named(&id);
        let after = match steer(&handle).await {
            Ok(done) if done.deleted.is_some() => Ok((done, None)),
            Ok(done) => handle.describe().await.map(|run| (done, Some(run))),
            Err(error) => Err(error),
        };
        match after {
            Ok((done, run)) => {
                let (status, reason) = run.map(|run| (run.status, run.reason)).unzip();
                if !json {
                    output::say(format!("{id} {}", told(&done, status)))?;
                }
                steered.push(Steered { id, status, reason, done, error: None });
            }
            Err(error) => {
                let refusal = Refusal { code: error.code().to_owned(), message: error.message().to_owned() };
                let failure = Failure::from(error);
                if !json {
                    failure.say();
                }
                if exit == Exit::Done {
                    exit = failure.exit;
                }
                steered.push(Steered { id, status: None, reason: None, done: Done::default(), error: Some(refusal) });
            }
        }
    }
    if json {
        output::json(&steered)?;
    }
    Ok(exit)
}

/// Say what came of all the runs that filters mean.
pub(super) fn all(many: onward::Many, json: bool, did: &str) -> Result<Exit, Failure> {
    if json {
        output::json(&many)?;
        return Ok(Exit::Done);
    }
    let onward::Many { matched, changed, refused, sleeps } = many;
    let mut told = format!("{matched} runs: {changed} {did}");
    if sleeps > 0 {
        told += &format!(" ({sleeps} sleeps)");
    }
    if refused > 0 {
        told += &format!(", {refused} not, because of their state");
    }
    output::say(told)?;
    Ok(Exit::Done)
}
