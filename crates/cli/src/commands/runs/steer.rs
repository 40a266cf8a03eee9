//! Shared by the verbs that manage runs: they act on runs given by id, each of which may fail by itself, or on all that match filters.

use onward::{Client, Error, Filter, RunId, Status};
use serde::Serialize;

use super::Handle;
use crate::args::{Selected, Which};
use crate::exit::{Exit, Failure};
use crate::output;

/// The act with who does it and why, as far as given; with `$children` true, it reaches the descendants.
macro_rules! signed {
    ($act:expr, $signed:expr) => {{
        let mut act = $act;
        if let Some(by) = &$signed.by {
            act = act.by(by);
        }
        if let Some(reason) = &$signed.reason {
            act = act.reason(reason);
        }
        act
    }};
    ($act:expr, $signed:expr, $children:expr) => {{
        let act = steer::signed!($act, $signed);
        if $children { act.with_children() } else { act }
    }};
}
pub(super) use signed;

/// The result for one run.
#[derive(Serialize)]
struct Steered {
    run: String,
    /// Its state afterwards, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    done: Done,
    /// Why the verb failed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// The details of what was done.
#[derive(Default, Serialize)]
pub(super) struct Done {
    /// Whether anything changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<bool>,
    /// The state of the run before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<Status>,
    /// The number of other runs that changed with it.
    #[serde(skip)]
    pub(super) others: u64,
    /// The number of sleeps that were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sleeps: Option<u64>,
    /// The run that was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    /// The number of deleted runs, including this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deleted: Option<u64>,
}

impl From<onward::records::Steered> for Done {
    fn from(steered: onward::records::Steered) -> Done {
        let others = steered.runs.saturating_sub(1);
        Done { changed: Some(steered.changed()), found: Some(steered.found), others, ..Done::default() }
    }
}

impl Done {
    /// Whether nothing changed, as far as known.
    pub(super) fn is_unchanged(&self) -> bool {
        self.changed == Some(false)
    }

    /// The end of a sentence: how many other runs changed with it.
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

/// The runs that a verb acts on.
pub(super) enum Meant {
    Ids(Vec<String>),
    Filter(Box<Filter>),
    /// What would be done to the runs is only counted.
    Preview(Box<Filter>),
}

/// The runs that the arguments select. Without ids, filters or `--all` it fails: all runs are never selected by mistake.
pub(super) fn meant(selected: Selected) -> Result<Meant, Failure> {
    let Selected { ids, all, dry_run, which } = selected;
    let has_filter = which != Which::default();
    let meant = |filter| if dry_run { Meant::Preview(Box::new(filter)) } else { Meant::Filter(Box::new(filter)) };
    match (ids.is_empty(), has_filter || all) {
        (false, false) if dry_run => Ok(meant(Filter { ids: possible(ids)?, ..Filter::default() })),
        (false, false) => Ok(Meant::Ids(ids)),
        (false, true) => Err(Failure::new(Exit::Usage, "give ids or filters, not both")),
        (true, true) => Ok(meant(Filter { all, ..super::filter::filter(which)? })),
        (true, false) => {
            Err(Failure::new(Exit::Usage, "which runs? Give ids, filters such as `--status failed`, or `--all`"))
        }
    }
}

fn possible(ids: Vec<String>) -> Result<Vec<RunId>, Failure> {
    ids.into_iter().map(|id| RunId::new(id).map_err(Failure::from)).collect()
}

/// Performs the verb on each run and continues after a failure. The exit code is that of the first failure, or
/// says that nothing changed.
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
                steered.push(Steered { run: id, status, reason, done, error: None });
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
                steered.push(Steered {
                    run: id,
                    status: None,
                    reason: None,
                    done: Done::default(),
                    error: Some(refusal),
                });
            }
        }
    }
    if json {
        output::json(&steered)?;
    }
    let nothing_changed = !steered.is_empty() && steered.iter().all(|run| run.done.is_unchanged());
    Ok(if exit == Exit::Done && nothing_changed { Exit::Unchanged } else { exit })
}

/// Prints the result for all runs that match the filters.
pub(super) fn all(result: onward::records::BulkResult, json: bool, did: &str) -> Result<Exit, Failure> {
    if json {
        output::json(&result)?;
        return Ok(Exit::Done);
    }
    let onward::records::BulkResult { matched, changed, refused, sleeps, refusals, .. } = result;
    output::say(counted(&format!("{matched} runs: {changed} {did}"), sleeps, refused, &refusals))?;
    Ok(Exit::Done)
}

/// Prints what would be done to the runs.
pub(super) async fn preview(preview: onward::client::Preview, json: bool, did: &str) -> Result<Exit, Failure> {
    let preview = preview.await?;
    if json {
        output::json(&preview)?;
        return Ok(Exit::Done);
    }
    let onward::records::BulkPreview { matched, would_change, sleeps, refused, refusals, .. } = preview;
    let told = format!("{matched} runs: {would_change} would be {did}");
    output::say(counted(&told, sleeps, refused, &refusals))?;
    Ok(Exit::Done)
}

fn counted(told: &str, sleeps: u64, refused: u64, refusals: &[onward::records::Refusal]) -> String {
    let mut told = told.to_owned();
    if sleeps > 0 {
        told += &format!(" ({sleeps} sleeps)");
    }
    if refused > 0 {
        told += &format!(", {refused} refused because of their state");
    }
    for onward::records::Refusal { status, message, runs, example, .. } in refusals {
        told += &format!("\n  {runs} {status}, such as {example}: {message}");
    }
    told
}
