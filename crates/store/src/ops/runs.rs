//! Creating runs and reading them.

mod create;
mod records;
mod steps;

use std::collections::HashSet;

use onward_types::{Json, RunId, RunKey, RunRecord, Timestamp};

use crate::change::Existing;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::records::Outcome;
use crate::signal::Signal;

pub(crate) use create::{create, create_many, in_the_way, insert, insert_row, ready_all};
pub(crate) use records::{Loaded, deduplicated, identity, records, stored};
pub(crate) use steps::{all as all_steps, page as step_page};

/// The run with this id, if there is one.
pub(crate) async fn find(tx: &mut Tx, id: &RunId) -> Result<Option<Existing>, Fault> {
    if !id.is_possible() {
        return Ok(None);
    }
    let row = tx.first(sql!("runs/existing"), &params![id.as_str()]).await?;
    row.as_ref().map(Row::existing).transpose()
}

/// The open run of the queue with this dedup key.
pub(crate) async fn holder(tx: &mut Tx, queue: &str, dedup: &str) -> Result<Option<Existing>, Fault> {
    let row = tx.first(sql!("runs/holder"), &params![queue, dedup]).await?;
    row.as_ref().map(Row::existing).transpose()
}

/// The runs, among those someone waits for, whose state matters to the waiter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Runs that have ended or are paused.
    pub ended: Vec<RunKey>,
    /// Runs that do not exist any more.
    pub gone: Vec<RunKey>,
}

/// The state and result of a run; `None` if it does not exist.
pub(crate) async fn outcome(tx: &mut Tx, key: RunKey) -> Result<Option<Outcome>, Fault> {
    let Some(row) = tx.first(sql!("runs/outcome"), &params![key]).await? else { return Ok(None) };
    Ok(Some(Outcome {
        status: row.text("status")?.parse()?,
        said: row.opt_text("said")?,
        output: row.opt_text("output")?.map(Json::from),
        error: row.opt_text("error")?.map(Json::from),
        unreadable: None,
        cancelled_with: row.opt_text("cancelled_with")?.map(RunId::recorded),
    }))
}

/// Which of these runs have ended, are paused, or do not exist any more.
pub(crate) async fn ended(tx: &mut Tx, keys: &[RunKey]) -> Result<Ends, Fault> {
    let rows = tx.query(sql!("runs/ended"), &params![keys]).await?;
    let ended = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    let there = tx.first(sql!("runs/there"), &params![keys]).await?.map_or(Ok(0), |row| row.count("n"))?;
    if there as usize >= keys.len() {
        return Ok(Ends { ended, gone: Vec::new() });
    }
    let rows = tx.query(sql!("runs/created"), &params![keys]).await?;
    let there: HashSet<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    Ok(Ends { ended, gone: keys.iter().copied().filter(|key| !there.contains(key)).collect() })
}

/// A child that exists although its parent has no record of it.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Its key.
    pub key: RunKey,
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The position in its parent at which it was started.
    pub position: u32,
}

/// The children of a run that it has no record of.
pub(crate) async fn stray_children(tx: &mut Tx, parent: RunKey) -> Result<Vec<Stray>, Fault> {
    let rows = tx.query(sql!("runs/stray_children"), &params![parent]).await?;
    let stray = |row: &Row| {
        Ok(Stray {
            key: row.key("run_key")?,
            id: RunId::recorded(row.text("id")?),
            workflow: row.text("workflow")?,
            position: row.count("parent_position")?,
        })
    };
    rows.iter().map(stray).collect()
}

/// The full record of a run.
pub(crate) async fn describe(tx: &mut Tx, id: &RunId, now: Timestamp) -> Result<Option<RunRecord>, Fault> {
    let Some(run) = find(tx, id).await? else { return Ok(None) };
    Ok(records(tx, &[run.key], Loaded { input: true, output: true, queue: true }, now).await?.pop())
}

/// Wake parked runs that refused messages on topics they wait for, so that possibly different code examines those messages.
pub(crate) async fn look_again(
    tx: &mut Tx,
    workflows: &Vec<String>,
    after: Option<RunKey>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<RunKey>, Fault> {
    let after = after.unwrap_or(RunKey(uuid::Uuid::nil()));
    let rows = tx.query(sql!("runs/look_again"), &params![now, workflows, after, limit]).await?;
    let mut woken = rows.iter().map(|row| row.key("run_key")).collect::<Result<Vec<_>, _>>()?;
    woken.sort_unstable();
    if !woken.is_empty() {
        tx.notify(&Signal::Ready);
    }
    Ok(woken)
}

/// The children of a run, in the order of their creation.
pub(crate) async fn children(tx: &mut Tx, id: &RunId) -> Result<Vec<RunId>, Fault> {
    let rows = tx.query(sql!("runs/children"), &params![id.as_str()]).await?;
    rows.iter().map(|row| row.text("id").map(RunId::recorded)).collect()
}
