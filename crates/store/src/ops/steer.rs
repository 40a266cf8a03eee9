//! Steering by anyone: cancel, pause, resume, wake up. They win at once; an owner is told, and lets go.

use onward_types::{Code, Error, RunId, RunKey, Status, Timestamp};

use super::action::{Acted, Target};
use super::queues;
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

/// What became of the runs whose deadlines have passed.
#[derive(Clone, Debug, Default)]
pub struct Overdue {
    /// What was cancelled.
    pub cancelled: Steered,
    /// How many runs could not be cancelled: their rows, or those of their children, are locked. They are tried again with the
    /// next sweep.
    pub left: usize,
    /// Why, for the last of them.
    pub why: Option<Error>,
}

/// Cancel a run and all that it started. A run that has ended stays as it is.
pub(crate) async fn cancel(tx: &mut Tx, run: &Target, said: &str, now: Timestamp) -> Result<Acted, Fault> {
    if matches!(run.status, Status::Succeeded | Status::Failed | Status::Cancelled) {
        return Ok(Acted::default());
    }
    let Steered { runs, owned } = cancel_tree(tx, vec![run.key], said, now).await?;
    // The tree tells other processes itself; these are for our own.
    Ok(Acted { count: 1, ended: runs, revoked: owned, is_ready: true, ..Acted::default() })
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
        tx.notify(&Signal::Ready);
    }
    if !steered.owned.is_empty() {
        tx.notify(&Signal::Revoked(steered.owned.clone()));
    }
    if !steered.runs.is_empty() {
        tx.notify(&Signal::Finished(steered.runs.clone()));
    }
    Ok(steered)
}

async fn children(tx: &mut Tx, of: &[RunKey]) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/children_of_any"), &params![of]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Let a paused, cancelled or given-up run go on from its last checkpoint.
pub(crate) async fn resume(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<Acted, Fault> {
    match run.status {
        Status::Paused | Status::Cancelled | Status::RetriesExceeded => {}
        // It goes on already.
        Status::Delayed | Status::Enqueued | Status::Running => return Ok(Acted::default()),
        Status::Succeeded | Status::Failed => {
            let Target { id, status, .. } = run;
            let message = format!("run {id:?} has {status} and cannot be resumed: start it anew under another id");
            return Err(Error::new(Code::IllegalMove, message).into());
        }
    }
    // One of a queue lines up again, behind those that have waited meanwhile.
    let seq = if run.in_queue { Some(queues::next_seq(tx).await?) } else { None };
    tx.execute(sql!("runs/resume"), &params![run.key, now, seq]).await?;
    tx.execute(sql!("runs/drop_payload"), &params![run.key, "error"]).await?;
    Ok(Acted { is_ready: true, ..Acted::one(run.key, None) })
}

/// Hold a run that has not ended. One that is paused stays as it is.
pub(crate) async fn pause(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<Acted, Fault> {
    match run.status {
        Status::Delayed | Status::Enqueued | Status::Running => {}
        Status::Paused => return Ok(Acted::default()),
        _ => return Err(run.cannot("paused", "it has ended")),
    }
    tx.execute(sql!("runs/pause"), &params![run.key, "paused; `resume` lets it go on", now]).await?;
    // In a queue, another run may have its slot.
    Ok(Acted { is_ready: run.in_queue, ..Acted::one(run.key, run.executor.as_ref()) })
}

/// End sleeps of a run: those at these positions, or all. A run that has ended has none.
pub(crate) async fn wake_up(
    tx: &mut Tx,
    run: &Target,
    positions: Option<&[u32]>,
    now: Timestamp,
) -> Result<Acted, Fault> {
    if run.status.is_terminal() {
        return Ok(Acted::default());
    }
    let mut count = 0;
    match positions {
        None => count += tx.execute(sql!("waits/wake_up"), &params![run.key, now, None::<i64>]).await?,
        Some(positions) => {
            for position in positions {
                count += tx.execute(sql!("waits/wake_up"), &params![run.key, now, *position]).await?;
            }
        }
    }
    if count == 0 {
        return Ok(Acted::default());
    }
    let owned = run.executor.is_some();
    if !owned {
        tx.execute(sql!("runs/wake"), &params![run.key, now]).await?;
    }
    let woken = if owned { vec![run.key] } else { Vec::new() };
    Ok(Acted { count, woken, is_ready: !owned, ..Acted::default() })
}

/// Let a run that starts later start at another time.
pub(crate) async fn set_ready_at(tx: &mut Tx, run: &Target, at: Timestamp, now: Timestamp) -> Result<Acted, Fault> {
    if run.status != Status::Delayed {
        return Err(run.cannot("delayed", "only a run that has not begun and has a delay can start at another time"));
    }
    tx.execute(sql!("runs/set_ready_at"), &params![run.key, at, now]).await?;
    Ok(Acted { is_ready: true, ..Acted::one(run.key, None) })
}

/// Sleeps of an executor's runs that somebody ended.
pub(crate) async fn woken(tx: &mut Tx, executor: &str) -> Result<Vec<(RunKey, u32)>, Fault> {
    let rows = tx.query(sql!("waits/woken"), &params![executor]).await?;
    rows.iter().map(|row| Ok((row.key("run_key")?, row.count("position")?))).collect()
}

/// Runs whose deadline has passed, after this one and its deadline, and the last of them.
pub(crate) async fn overdue(
    tx: &mut Tx,
    now: Timestamp,
    after: (Timestamp, RunKey),
    limit: u32,
) -> Result<Vec<(Timestamp, RunKey)>, Fault> {
    let rows = tx.query(sql!("runs/overdue"), &params![now, after.0, after.1, limit]).await?;
    rows.iter().map(|row| Ok((onward_types::from_micros(row.int("deadline")?), row.key("run_key")?))).collect()
}

/// Cancel these runs, as far as their deadlines have passed. Waits for nobody's lock.
pub(crate) async fn cancel_overdue(tx: &mut Tx, keys: &[RunKey], now: Timestamp) -> Result<Steered, Fault> {
    super::impatient(tx).await?;
    let mut all = Steered::default();
    for row in tx.query(sql!("runs/still_overdue"), &params![now, keys]).await? {
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
