//! Steering by clients: cancel, pause, resume, wake up. It takes effect at once; if a run has an owner, the owner is notified
//! and releases the run.

use onward_types::{Code, Error, RunId, RunKey, Status, Timestamp};

use super::action::{Acted, Target};
use super::{counts, queues};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// The runs that were cancelled in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// The cancelled runs, including all descendants.
    pub runs: Vec<RunKey>,
    /// Those of them that an executor owns.
    pub owned: Vec<RunKey>,
}

/// The result of cancelling the runs whose deadlines have passed.
#[derive(Clone, Debug, Default)]
pub struct Overdue {
    /// The runs that were cancelled.
    pub cancelled: Cancelled,
    /// How many runs could not be cancelled because their rows, or those of their children, are locked. The next sweep tries
    /// them again.
    pub left: usize,
    /// The reason for the last of them.
    pub why: Option<Error>,
}

/// Cancel a run and its descendants. A run that has ended stays as it is.
pub(crate) async fn cancel(tx: &mut Tx, run: &Target, said: &str, now: Timestamp) -> Result<Acted, Fault> {
    if matches!(run.status, Status::Succeeded | Status::Failed | Status::Cancelled) {
        return Ok(Acted::default());
    }
    let Cancelled { runs, owned } = cancel_tree(tx, run.key, said, now).await?;
    // The cascade notifies other processes itself; these are for this process.
    Ok(Acted { count: runs.len() as u64, ended: runs, revoked: owned, is_ready: true, ..Acted::default() })
}

/// Cancel the children of these cancelled runs once more: a child whose creation was in flight was not found the first time.
pub(crate) async fn cancel_children(tx: &mut Tx, of: &[RunKey], now: Timestamp) -> Result<Cancelled, Fault> {
    let mut cascade = Cascade::default();
    for row in tx.query(sql!("runs/cancelled"), &params![of]).await? {
        let run = row.key("run_key")?;
        let children = children(tx, &[run]).await?;
        cascade.cancel_with(tx, row.opt_key("steered_with")?.unwrap_or(run), children, now).await?;
    }
    cascade.tell(tx, now).await
}

/// Cancel a run, then its children, and so on.
pub(crate) async fn cancel_tree(tx: &mut Tx, root: RunKey, said: &str, now: Timestamp) -> Result<Cancelled, Fault> {
    let mut cascade = Cascade::default();
    cascade.cancel(tx, root, said, now).await?;
    cascade.tell(tx, now).await
}

const PARENT_CANCELLED: &str = "cancelled with its parent";

/// A cancellation on its way through a family.
#[derive(Default)]
struct Cascade {
    cancelled: Cancelled,
    parents: Vec<RunKey>,
}

impl Cascade {
    async fn cancel(&mut self, tx: &mut Tx, root: RunKey, said: &str, now: Timestamp) -> Result<(), Fault> {
        // A run that was given up has ended before.
        counts::left(tx, &[root], &[Status::RetriesExceeded]).await?;
        self.cancel_level(tx, &[root], said, None, now).await?;
        let children = children(tx, &[root]).await?;
        self.cancel_with(tx, root, children, now).await
    }

    /// Cancel runs and their descendants because another run was cancelled. They are resumed together with that run.
    async fn cancel_with(
        &mut self,
        tx: &mut Tx,
        with: RunKey,
        mut level: Vec<RunKey>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        while !level.is_empty() {
            self.cancel_level(tx, &level, PARENT_CANCELLED, Some(with), now).await?;
            level = children(tx, &level).await?;
        }
        Ok(())
    }

    async fn cancel_level(
        &mut self,
        tx: &mut Tx,
        level: &[RunKey],
        said: &str,
        with: Option<RunKey>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        for row in tx.query(sql!("runs/cancel"), &params![level, said, now, with, with.is_some()]).await? {
            let key = row.key("run_key")?;
            self.cancelled.runs.push(key);
            self.parents.extend(row.opt_key("parent_key")?);
            if row.opt_text("executor")?.is_some() {
                self.cancelled.owned.push(key);
            }
        }
        Ok(())
    }

    /// Wake the runs that wait for a cancelled one, and notify other processes.
    async fn tell(self, tx: &mut Tx, now: Timestamp) -> Result<Cancelled, Fault> {
        let Cascade { cancelled, parents } = self;
        if !parents.is_empty() {
            tx.execute(sql!("runs/wake_all"), &params![&parents, now]).await?;
            tx.notify(&Signal::Ready);
        }
        if !cancelled.owned.is_empty() {
            tx.notify(&Signal::Revoked(cancelled.owned.clone()));
        }
        if !cancelled.runs.is_empty() {
            tx.notify(&Signal::Finished(cancelled.runs.clone()));
        }
        Ok(cancelled)
    }
}

async fn children(tx: &mut Tx, of: &[RunKey]) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/children_of_any"), &params![of]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Resume a paused, cancelled or given-up run from its last checkpoint, together with all runs that were cancelled or imported
/// with it.
pub(crate) async fn resume(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<Acted, Fault> {
    match run.status {
        Status::Paused | Status::Cancelled | Status::RetriesExceeded => {}
        // It is not stopped.
        Status::Delayed | Status::Enqueued | Status::Running => return Ok(Acted::default()),
        Status::Succeeded | Status::Failed => {
            let Target { id, status, .. } = run;
            let message = format!("run {id:?} has {status} and cannot be resumed: start a new run under another id");
            return Err(Error::new(Code::IllegalMove, message).into());
        }
    }
    go_on(tx, run, now).await?;
    let mut resumed = vec![run.key];
    if let Some(with) = run.steered_with {
        // It is resumed alone out of a larger family; its own descendants are resumed with it.
        let mut level = vec![run.key];
        while !level.is_empty() {
            let rows = tx.query(sql!("runs/children_taken_with"), &params![&level]).await?;
            level = Vec::new();
            for row in &rows {
                let child = Target::read(row)?;
                level.push(child.key);
                if child.steered_with == Some(with) && matches!(child.status, Status::Cancelled | Status::Paused) {
                    come_back(tx, &child, now).await?;
                    resumed.push(child.key);
                }
            }
        }
    }
    let mut level = resumed.clone();
    while !level.is_empty() {
        let rows = tx.query(sql!("runs/taken_with"), &params![&level]).await?;
        level = Vec::new();
        for row in &rows {
            let other = Target::read(row)?;
            come_back(tx, &other, now).await?;
            level.push(other.key);
        }
        resumed.extend(&level);
    }
    Ok(Acted { count: resumed.len() as u64, is_ready: true, ..Acted::default() })
}

/// Restore a run that was cancelled or imported together with another one: a paused run is paused again, any other is resumed.
async fn come_back(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<(), Fault> {
    if run.was_paused {
        counts::left(tx, &[run.key], &[Status::Cancelled]).await?;
        tx.execute(sql!("runs/pause_again"), &params![run.key, now, STILL_PAUSED]).await?;
        return Ok(());
    }
    go_on(tx, run, now).await
}

const STILL_PAUSED: &str = "paused before it was cancelled with its parent; `resume` continues it";

async fn go_on(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<(), Fault> {
    // A run of a queue goes to the end of the queue, behind those that waited meanwhile.
    let seq = if run.in_queue { Some(queues::next_seq(tx).await?) } else { None };
    counts::left(tx, &[run.key], &[Status::Cancelled, Status::RetriesExceeded]).await?;
    tx.execute(sql!("runs/resume"), &params![run.key, now, seq]).await?;
    tx.execute(sql!("runs/drop_payload"), &params![run.key, "error"]).await?;
    Ok(())
}

/// Start a run at once that waits in a queue or for its start time. It leaves its queue and takes no slot there.
pub(crate) async fn start_now(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<Acted, Fault> {
    match run.status {
        Status::Delayed | Status::Enqueued => {}
        // It has begun already.
        Status::Running => return Ok(Acted::default()),
        Status::Paused => return Err(run.cannot("started now", "resume it first")),
        _ => return Err(run.cannot("started now", "it has ended")),
    }
    tx.execute(sql!("runs/start_now"), &params![run.key, now]).await?;
    Ok(Acted { is_ready: true, ..Acted::one(run.key, None) })
}

/// Pause a run that has not ended. A paused run stays as it is.
pub(crate) async fn pause(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<Acted, Fault> {
    match run.status {
        Status::Delayed | Status::Enqueued | Status::Running => {}
        Status::Paused => return Ok(Acted::default()),
        _ => return Err(run.cannot("paused", "it has ended")),
    }
    tx.execute(sql!("runs/pause"), &params![run.key, "paused; `resume` continues it", now]).await?;
    // Its slot in the queue is free for another run.
    Ok(Acted { is_ready: run.in_queue, ..Acted::one(run.key, run.executor.as_ref()) })
}

/// End sleeps of a run: those at these positions, or all with `None`. A run that has ended has none.
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

/// Change the start time of a delayed run.
pub(crate) async fn set_ready_at(tx: &mut Tx, run: &Target, at: Timestamp, now: Timestamp) -> Result<Acted, Fault> {
    if run.status != Status::Delayed {
        return Err(run.cannot("delayed", "only the start of a delayed run that has not begun can be changed"));
    }
    tx.execute(sql!("runs/set_ready_at"), &params![run.key, at, now]).await?;
    Ok(Acted { is_ready: true, ..Acted::one(run.key, None) })
}

/// The sleeps of an executor's runs that were ended by a wake-up call.
pub(crate) async fn woken(tx: &mut Tx, executor: &str) -> Result<Vec<(RunKey, u32)>, Fault> {
    let rows = tx.query(sql!("waits/woken"), &params![executor]).await?;
    rows.iter().map(|row| Ok((row.key("run_key")?, row.count("position")?))).collect()
}

/// Runs whose deadline has passed, in the order of deadlines, starting after the given deadline and run.
pub(crate) async fn overdue(
    tx: &mut Tx,
    now: Timestamp,
    after: (Timestamp, RunKey),
    limit: u32,
) -> Result<Vec<(Timestamp, RunKey)>, Fault> {
    let rows = tx.query(sql!("runs/overdue"), &params![now, after.0, after.1, limit]).await?;
    rows.iter().map(|row| Ok((onward_types::from_micros(row.int("deadline")?), row.key("run_key")?))).collect()
}

/// Cancel those of these runs whose deadline has passed. Does not wait for locks.
pub(crate) async fn cancel_overdue(tx: &mut Tx, keys: &[RunKey], now: Timestamp) -> Result<Cancelled, Fault> {
    super::impatient(tx).await?;
    let mut cascade = Cascade::default();
    for row in tx.query(sql!("runs/still_overdue"), &params![now, keys]).await? {
        let run = row.key("run_key")?;
        if let Some(with) = row.opt_key("with_key")? {
            cascade.cancel_with(tx, with, vec![run], now).await?;
            continue;
        }
        let deadline = onward_types::from_micros(row.int("deadline")?);
        cascade.cancel(tx, run, &format!("cancelled: its deadline {deadline} has passed"), now).await?;
    }
    cascade.tell(tx, now).await
}

/// The earliest deadline of a run.
pub(crate) async fn next_deadline(tx: &mut Tx) -> Result<Option<Timestamp>, Fault> {
    let row = tx.first(sql!("runs/next_deadline"), &[]).await?;
    Ok(row.map(|row| row.opt_int("deadline")).transpose()?.flatten().map(onward_types::from_micros))
}

pub(crate) fn unknown(id: &RunId) -> Fault {
    Error::new(Code::UnknownRun, format!("no run has the id {id:?}")).into()
}
