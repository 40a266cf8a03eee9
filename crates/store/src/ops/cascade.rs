//! Stopping runs with all that they started: a cancellation or a pause on its way through a family.
//!
//! A child whose creation is in flight while its parent is stopped is not found. So whatever releases the stopped parent first
//! stops its children once more: see [`stop_children`].

use onward_types::{Attribution, RunId, RunKey, Status, Steering, SteeringAction, Timestamp};

use super::action::{Acted, Target};
use super::{counts, steerings};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// The runs that were cancelled or paused in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// The cancelled runs, including all descendants.
    pub runs: Vec<RunKey>,
    /// The paused runs, if a family was paused and not cancelled.
    pub paused: Vec<RunKey>,
    /// Those of both that an executor owns.
    pub owned: Vec<RunKey>,
}

/// Cancel a run and its descendants.
pub(super) async fn cancel(tx: &mut Tx, run: &Target, who: &Attribution, now: Timestamp) -> Result<Acted, Fault> {
    let mut cascade = Cascade::default();
    cascade.cancel(tx, run.key, &run.id, &Steering::new(SteeringAction::Cancel, who, now)).await?;
    let Cancelled { runs, owned, .. } = cascade.tell(tx, now).await?;
    // The cascade notifies other processes itself; these are for this process.
    Ok(Acted { revoked: owned, is_ready: true, ended: runs.clone(), ..Acted::of(runs) })
}

/// Pause a run; with `children`, its descendants too. If it is paused already, they are paused along with it.
pub(super) async fn pause(
    tx: &mut Tx,
    run: &Target,
    who: &Attribution,
    children: bool,
    now: Timestamp,
) -> Result<Acted, Fault> {
    let steering = Steering::new(SteeringAction::Pause, who, now);
    let mut cascade = Cascade::default();
    let with = children.then(|| run.paused_with.unwrap_or(run.key));
    if run.status == Status::Paused {
        tx.execute(sql!("runs/pause_family"), &params![run.key]).await?;
    } else {
        cascade.pause_level(tx, &[run.key], &steering, with).await?;
    }
    if let Some(with) = with {
        cascade.pause_with(tx, with, &steering.with(&run.id), vec![run.key]).await?;
    }
    let is_ready = cascade.frees_slots;
    let Cancelled { paused, owned, .. } = cascade.tell(tx, now).await?;
    Ok(Acted { revoked: owned, is_ready, ..Acted::of(paused) })
}

/// Stop the children of those of these runs that were cancelled, or paused with their descendants, once more.
pub(crate) async fn stop_children(tx: &mut Tx, of: &[RunKey], now: Timestamp) -> Result<Cancelled, Fault> {
    let mut cascade = Cascade::default();
    for row in tx.query(sql!("runs/stopped"), &params![of]).await? {
        let (run, id) = (row.key("run_key")?, RunId::recorded(row.text("id")?));
        let status: Status = row.text("status")?.parse()?;
        let stopped = steerings::of_row(&row, "steered", "runs")?;
        if status == Status::Cancelled {
            let steering = steerings::inherited(stopped, SteeringAction::Cancel, &id, now);
            let with = row.opt_key("steered_with")?.unwrap_or(run);
            let children = children_to_cancel(tx, &[run]).await?;
            cascade.cancel_with(tx, with, &steering, children).await?;
        } else {
            let since = stopped.as_ref().map(|pause| pause.at);
            let steering = steerings::inherited(stopped, SteeringAction::Pause, &id, now);
            let with = row.opt_key("paused_with")?.unwrap_or(run);
            let late = late_children(tx, run, &steering, since).await?;
            cascade.pause_level(tx, &late, &steering, Some(with)).await?;
            cascade.pause_with(tx, with, &steering, late).await?;
        }
    }
    cascade.tell(tx, now).await
}

/// The children of a paused run that its pause did not reach. One that it reached and that was resumed by itself since goes on.
async fn late_children(
    tx: &mut Tx,
    run: RunKey,
    pause: &Steering,
    since: Option<Timestamp>,
) -> Result<Vec<RunKey>, Fault> {
    let mut late = Vec::new();
    for row in tx.query(sql!("runs/open_children"), &params![run]).await? {
        let child = row.key("run_key")?;
        let was_reached = steerings::latest(tx, child).await?.iter().any(|act| {
            act.action == SteeringAction::Pause && act.with == pause.with && since.is_some_and(|since| act.at >= since)
        });
        late.extend((!was_reached).then_some(child));
    }
    Ok(late)
}

/// Cancel those of these runs whose deadline has passed. Does not wait for locks.
pub(crate) async fn cancel_overdue(tx: &mut Tx, keys: &[RunKey], now: Timestamp) -> Result<Cancelled, Fault> {
    super::impatient(tx).await?;
    let mut cascade = Cascade::default();
    for row in tx.query(sql!("runs/still_overdue"), &params![now, keys]).await? {
        let run = row.key("run_key")?;
        if let Some(with) = row.opt_key("with_key")? {
            let parent = RunId::recorded(row.text("parent_id")?);
            let stopped = steerings::of_row(&row, "parent_steered", "runs")?;
            let steering = steerings::inherited(stopped, SteeringAction::Cancel, &parent, now);
            cascade.cancel_with(tx, with, &steering, vec![run]).await?;
            continue;
        }
        let who = Attribution::deadline(onward_types::from_micros(row.int("deadline")?));
        let id = RunId::recorded(row.text("id")?);
        cascade.cancel(tx, run, &id, &Steering::new(SteeringAction::Cancel, &who, now)).await?;
    }
    cascade.tell(tx, now).await
}

/// A cancellation or a pause on its way through a family.
#[derive(Default)]
pub(super) struct Cascade {
    stopped: Cancelled,
    parents: Vec<RunKey>,
    /// Whether a paused run leaves a place in its queue to another run.
    frees_slots: bool,
}

impl Cascade {
    pub(super) async fn cancel(
        &mut self,
        tx: &mut Tx,
        root: RunKey,
        id: &RunId,
        steering: &Steering,
    ) -> Result<(), Fault> {
        // A run that was given up has ended before.
        counts::left(tx, &[root], &[Status::RetriesExceeded]).await?;
        self.cancel_level(tx, &[root], steering, None).await?;
        let children = children_to_cancel(tx, &[root]).await?;
        self.cancel_with(tx, root, &steering.with(id), children).await
    }

    /// Cancel runs and their descendants because another run was cancelled. They are resumed together with that run.
    pub(super) async fn cancel_with(
        &mut self,
        tx: &mut Tx,
        with: RunKey,
        steering: &Steering,
        mut level: Vec<RunKey>,
    ) -> Result<(), Fault> {
        while !level.is_empty() {
            self.cancel_level(tx, &level, steering, Some(with)).await?;
            level = children_to_cancel(tx, &level).await?;
        }
        Ok(())
    }

    async fn cancel_level(
        &mut self,
        tx: &mut Tx,
        level: &[RunKey],
        steering: &Steering,
        with: Option<RunKey>,
    ) -> Result<(), Fault> {
        let (said, steered) = (steering.to_string(), steerings::written(steering)?);
        let given = params![level, said.as_str(), steering.at, with, with.is_some(), steered.as_str()];
        let mut cancelled = Vec::new();
        for row in tx.query(sql!("runs/cancel"), &given).await? {
            let key = row.key("run_key")?;
            cancelled.push(key);
            self.parents.extend(row.opt_key("parent_key")?);
            if row.opt_text("executor")?.is_some() {
                self.stopped.owned.push(key);
            }
        }
        steerings::add(tx, &cancelled, steering).await?;
        self.stopped.runs.extend(cancelled);
        Ok(())
    }

    /// Pause the descendants of these runs because the run `with` was paused with its family.
    async fn pause_with(
        &mut self,
        tx: &mut Tx,
        with: RunKey,
        steering: &Steering,
        mut level: Vec<RunKey>,
    ) -> Result<(), Fault> {
        loop {
            level = children(tx, &level).await?;
            if level.is_empty() {
                return Ok(());
            }
            self.pause_level(tx, &level, steering, Some(with)).await?;
        }
    }

    async fn pause_level(
        &mut self,
        tx: &mut Tx,
        level: &[RunKey],
        steering: &Steering,
        with: Option<RunKey>,
    ) -> Result<(), Fault> {
        let (said, steered) = (format!("{steering}; `resume` continues it"), steerings::written(steering)?);
        let given = params![level, said.as_str(), steering.at, with, steered.as_str()];
        let mut paused = Vec::new();
        for row in tx.query(sql!("runs/pause"), &given).await? {
            let key = row.key("run_key")?;
            paused.push(key);
            self.frees_slots |= row.opt_text("queue")?.is_some();
            if row.opt_text("executor")?.is_some() {
                self.stopped.owned.push(key);
            }
        }
        steerings::add(tx, &paused, steering).await?;
        self.stopped.paused.extend(paused);
        Ok(())
    }

    /// Wake the runs that wait for a cancelled one, and notify other processes.
    pub(super) async fn tell(self, tx: &mut Tx, now: Timestamp) -> Result<Cancelled, Fault> {
        let Cascade { stopped, parents, frees_slots } = self;
        if !parents.is_empty() {
            tx.execute(sql!("runs/wake_all"), &params![&parents, now]).await?;
        }
        if !parents.is_empty() || frees_slots {
            tx.notify(&Signal::Ready);
        }
        if !stopped.owned.is_empty() {
            tx.notify(&Signal::Revoked(stopped.owned.clone()));
        }
        if !stopped.runs.is_empty() {
            tx.notify(&Signal::Finished(stopped.runs.clone()));
        }
        Ok(stopped)
    }
}

async fn children(tx: &mut Tx, of: &[RunKey]) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/children_of_any"), &params![of]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

async fn children_to_cancel(tx: &mut Tx, of: &[RunKey]) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/children_to_cancel"), &params![of]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}
