//! Creating runs outside the journal, and finding out why one could not be created.

use std::collections::HashSet;

use onward_types::{RunKey, Status};

use super::{find, holder};
use crate::change::{Created, INLINE_MAX, NewRun, Queued};
use crate::driver::{Param, Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::{Born, NEW_RUN};
use crate::ops::queues;
use crate::signal::Signal;

/// With runs of more queues than this, one general signal replaces the signals for each queue.
const QUEUES_MAX: usize = 8;

/// Create a run that any executor may claim.
pub(crate) async fn create(tx: &mut Tx, run: &NewRun) -> Result<Created, Fault> {
    let seq = match run.queued {
        Some(_) => Some(queues::next_seq(tx).await?),
        None => None,
    };
    let created = insert(tx, &Born { seq, ..Born::of(run) }).await?;
    if created == Created::New {
        tx.notify(&ready(run));
    }
    Ok(created)
}

/// Create runs that any executor may claim, in the given order. There must be no more than one number of the sequence leaves
/// room for.
pub(crate) async fn create_many(tx: &mut Tx, new: &[NewRun]) -> Result<Vec<Created>, Fault> {
    let first = queues::next_seq(tx).await?;
    // Sorted, because two callers that create the same runs in different orders would deadlock.
    let mut numbered: Vec<(&NewRun, i64)> = new.iter().zip(first..).collect();
    let place = |run: &NewRun| run.queued.as_ref().map(|it| (it.queue.clone(), it.dedup.clone()));
    numbered.sort_by_cached_key(|(run, _)| (place(run), run.id.clone()));
    let row = |(run, seq): (&NewRun, i64)| row_of(&Born { seq: run.queued.as_ref().map(|_| seq), ..Born::of(run) });
    tx.query_each(sql!("runs/create"), &numbered.into_iter().map(row).collect::<Vec<_>>()).await?;
    let keys: Vec<RunKey> = new.iter().map(|run| run.key).collect();
    let rows = tx.query(sql!("runs/created"), &params![&keys]).await?;
    let created: HashSet<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    let long = new.iter().filter(|run| created.contains(&run.key) && run.input.len() > INLINE_MAX);
    let long: Vec<Vec<Param>> = long.map(|run| params![run.key, "input", run.input.as_str()].into()).collect();
    tx.query_each(sql!("runs/put_payload"), &long).await?;
    let mut came_of = Vec::with_capacity(new.len());
    for run in new {
        came_of.push(if created.contains(&run.key) { Created::New } else { in_the_way(tx, run).await? });
    }
    for signal in ready_all(new) {
        tx.notify(&signal);
    }
    Ok(came_of)
}

/// The signal for a new run that any executor may claim. If the run enters its queue later, claimers have to schedule it.
fn ready(run: &NewRun) -> Signal {
    match &run.queued {
        Some(queued) if run.status == Status::Enqueued => Signal::Queued(queued.queue.clone()),
        _ => Signal::Ready,
    }
}

/// The signals for several new runs.
pub(crate) fn ready_all(new: &[NewRun]) -> Vec<Signal> {
    let mut signals = Vec::new();
    for signal in new.iter().map(ready) {
        if !signals.contains(&signal) {
            signals.push(signal);
        }
        if signals.len() > QUEUES_MAX {
            return vec![Signal::Ready];
        }
    }
    signals
}

/// Create a run with the values that were decided for it.
pub(crate) async fn insert(tx: &mut Tx, born: &Born<'_>) -> Result<Created, Fault> {
    if insert_row(tx, born).await? { Ok(Created::New) } else { in_the_way(tx, born.run).await }
}

/// Create a run. `false`: it exists already, or another run is in the way.
pub(crate) async fn insert_row(tx: &mut Tx, born: &Born<'_>) -> Result<bool, Fault> {
    let run = born.run;
    if tx.execute(sql!("runs/create"), &row_of(born)).await? == 0 {
        return Ok(false);
    }
    if run.input.len() > INLINE_MAX {
        tx.execute(sql!("runs/put_payload"), &params![run.key, "input", run.input.as_str()]).await?;
    }
    Ok(true)
}

/// Why a run could not be created.
pub(crate) async fn in_the_way(tx: &mut Tx, run: &NewRun) -> Result<Created, Fault> {
    if let Some(found) = find(tx, &run.id).await? {
        // It was created by an earlier attempt whose commit answer was lost.
        return Ok(if found.key == run.key { Created::New } else { Created::Existing(found) });
    }
    let holder = match &run.queued {
        Some(Queued { queue, dedup: Some(dedup), .. }) => holder(tx, queue, dedup).await?,
        _ => None,
    };
    match holder {
        Some(holder) => Ok(Created::Duplicate(holder)),
        // The run that was in the way has ended or was deleted since; or a run gathering for the same key was created just now.
        None => Err(Fault::try_again(format!(
            "another run was in the way of run {:?} and has just changed: try again",
            run.id
        ))),
    }
}

/// The row of a new run.
fn row_of(born: &Born<'_>) -> Vec<Param> {
    NEW_RUN.iter().map(|column| Param::from(column.stored(born))).collect()
}
