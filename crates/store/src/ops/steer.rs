//! Steering by anyone: cancel and resume. They win at once; an owner is told, and lets go.

use onward_types::{Code, Error, RunId, RunKey, Status, Timestamp};

use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// What a steering call did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steered {
    /// Runs whose state changed, with all their descendants.
    pub runs: Vec<RunKey>,
    /// Those among them that an executor has.
    pub owned: Vec<RunKey>,
}

/// Cancel a run and all that it started. A run that has ended stays as it is.
pub(crate) async fn cancel(tx: &mut Tx, id: &RunId, said: &str, now: Timestamp) -> Result<Steered, Fault> {
    let row = tx.first(sql!("runs/to_steer"), &params![id.as_str()]).await?;
    let row = row.ok_or_else(|| unknown(id))?;
    let status: Status = row.text("status")?.parse()?;
    if matches!(status, Status::Succeeded | Status::Failed | Status::Cancelled) {
        return Ok(Steered::default());
    }
    cancel_tree(tx, vec![row.key("run_key")?], said, now).await
}

/// Cancel what a cancelled run started, once more: a child whose creation was in flight was not seen the first time.
pub(crate) async fn cancel_children(tx: &mut Tx, of: &[RunKey], now: Timestamp) -> Result<Steered, Fault> {
    let children = children(tx, of).await?;
    cancel_tree(tx, children, PARENT_CANCELLED, now).await
}

const PARENT_CANCELLED: &str = "cancelled with its parent";

/// Cancel these runs, then their children, and so on.
pub(crate) async fn cancel_tree(tx: &mut Tx, roots: Vec<RunKey>, said: &str, now: Timestamp) -> Result<Steered, Fault> {
    let mut steered = Steered::default();
    let mut parents = Vec::new();
    let mut level = roots;
    let mut said = said;
    while !level.is_empty() {
        let rows = tx.query(sql!("runs/cancel"), &params![&level, said, now]).await?;
        for row in rows {
            let key = row.key("run_key")?;
            steered.runs.push(key);
            parents.extend(row.opt_key("parent_key")?);
            if row.opt_text("executor")?.is_some() {
                steered.owned.push(key);
            }
        }
        level = children(tx, &level).await?;
        said = PARENT_CANCELLED;
    }
    if !parents.is_empty() {
        tx.execute(sql!("runs/wake_all"), &params![&parents, now]).await?;
        tx.notify(&Signal::Ready).await?;
    }
    if !steered.owned.is_empty() {
        tx.notify(&Signal::Revoked(steered.owned.clone())).await?;
    }
    if !steered.runs.is_empty() {
        tx.notify(&Signal::Finished(steered.runs.clone())).await?;
    }
    Ok(steered)
}

async fn children(tx: &mut Tx, of: &[RunKey]) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/children_of_any"), &params![of]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Let a paused, cancelled or given-up run go on from its last checkpoint.
pub(crate) async fn resume(tx: &mut Tx, id: &RunId, now: Timestamp) -> Result<Steered, Fault> {
    let row = tx.first(sql!("runs/to_steer"), &params![id.as_str()]).await?;
    let row = row.ok_or_else(|| unknown(id))?;
    let status: Status = row.text("status")?.parse()?;
    let key = row.key("run_key")?;
    match status {
        Status::Paused | Status::Cancelled | Status::RetriesExceeded => {}
        // It goes on already.
        Status::Delayed | Status::Enqueued | Status::Running => return Ok(Steered::default()),
        Status::Succeeded | Status::Failed => {
            let message = format!("run {id:?} has {status} and cannot be resumed: start it anew under another id");
            return Err(Error::new(Code::IllegalMove, message).into());
        }
    }
    tx.execute(sql!("runs/resume"), &params![key, now]).await?;
    tx.execute(sql!("runs/drop_payload"), &params![key, "error"]).await?;
    tx.notify(&Signal::Ready).await?;
    Ok(Steered { runs: vec![key], owned: Vec::new() })
}

/// Cancel runs whose deadline has passed.
pub(crate) async fn cancel_overdue(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Steered, Fault> {
    let mut all = Steered::default();
    for row in tx.query(sql!("runs/overdue"), &params![now, limit]).await? {
        let deadline = onward_types::from_micros(row.int("deadline")?);
        let said = format!("cancelled: its deadline {deadline} has passed");
        let Steered { runs, owned } = cancel_tree(tx, vec![row.key("run_key")?], &said, now).await?;
        all.runs.extend(runs);
        all.owned.extend(owned);
    }
    Ok(all)
}

/// When the next deadline strikes.
pub(crate) async fn next_deadline(tx: &mut Tx) -> Result<Option<Timestamp>, Fault> {
    let row = tx.first(sql!("runs/next_deadline"), &[]).await?;
    Ok(row.map(|row| row.opt_int("deadline")).transpose()?.flatten().map(onward_types::from_micros))
}

pub(crate) fn unknown(id: &RunId) -> Fault {
    Error::new(Code::UnknownRun, format!("no run has the id {id:?}")).into()
}
