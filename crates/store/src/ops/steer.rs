//! Steering by anyone: cancel, pause, resume, wake up. They win at once; an owner is told, and lets go.

use onward_types::{Code, Error, RunId, RunKey, Status, Timestamp};

use super::action::{Acted, Target};
use super::queues;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// What was cancelled in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Runs that were cancelled, with all their descendants.
    pub runs: Vec<RunKey>,
    /// Those among them that an executor has.
    pub owned: Vec<RunKey>,
}

/// What became of the runs whose deadlines have passed.
#[derive(Clone, Debug, Default)]
pub struct Overdue {
    /// What was cancelled.
    pub cancelled: Cancelled,
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
    let Cancelled { runs, owned } = cancel_tree(tx, run.key, said, now).await?;
    // The tree tells other processes itself; these are for our own.
    Ok(Acted { count: runs.len() as u64, ended: runs, revoked: owned, is_ready: true, ..Acted::default() })
}

/// Cancel what these cancelled runs started, once more: a child whose creation was in flight was not seen the first time.
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

/// A cancel on its way through a family.
#[derive(Default)]
struct Cascade {
    cancelled: Cancelled,
    parents: Vec<RunKey>,
}

impl Cascade {
    async fn cancel(&mut self, tx: &mut Tx, root: RunKey, said: &str, now: Timestamp) -> Result<(), Fault> {
        self.cancel_level(tx, &[root], said, None, now).await?;
        let children = children(tx, &[root]).await?;
        self.cancel_with(tx, root, children, now).await
    }

    /// Cancel runs because another one was, with all that they started. They come back with that one.
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

    /// Wake who waits for one of them, and tell other processes.
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

/// Let a paused, cancelled or given-up run go on from its last checkpoint, with all that was cancelled, or came here, with it.
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
    go_on(tx, run, now).await?;
    let mut resumed = vec![run.key];
    if let Some(with) = run.steered_with {
        // It comes back alone of a larger family: so do those below it.
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

/// A run that was taken off its way with another one comes back as it was.
async fn come_back(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<(), Fault> {
    if run.was_paused {
        tx.execute(sql!("runs/pause_again"), &params![run.key, now, STILL_PAUSED]).await?;
        return Ok(());
    }
    go_on(tx, run, now).await
}

const STILL_PAUSED: &str = "paused before it was cancelled with its parent; `resume` lets it go on";

async fn go_on(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<(), Fault> {
    // One of a queue lines up again, behind those that have waited meanwhile.
    let seq = if run.in_queue { Some(queues::next_seq(tx).await?) } else { None };
    tx.execute(sql!("runs/resume"), &params![run.key, now, seq]).await?;
    tx.execute(sql!("runs/drop_payload"), &params![run.key, "error"]).await?;
    Ok(())
}

/// Let a run begin at once that waits in a queue or for its time. It leaves its queue: what has no place there takes none.
pub(crate) async fn start_now(tx: &mut Tx, run: &Target, now: Timestamp) -> Result<Acted, Fault> {
    match run.status {
        Status::Delayed | Status::Enqueued => {}
        // It has begun already.
        Status::Running => return Ok(Acted::default()),
        Status::Paused => return Err(run.cannot("started now", "resume it, and start it then")),
        _ => return Err(run.cannot("started now", "it has ended")),
    }
    tx.execute(sql!("runs/start_now"), &params![run.key, now]).await?;
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

/// When the next deadline strikes.
pub(crate) async fn next_deadline(tx: &mut Tx) -> Result<Option<Timestamp>, Fault> {
    let row = tx.first(sql!("runs/next_deadline"), &[]).await?;
    Ok(row.map(|row| row.opt_int("deadline")).transpose()?.flatten().map(onward_types::from_micros))
}

pub(crate) fn unknown(id: &RunId) -> Fault {
    Error::new(Code::UnknownRun, format!("no run has the id {id:?}")).into()
}
