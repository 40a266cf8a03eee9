//! Creating runs outside of batches, and saying why one could not be created.

use std::collections::HashSet;

use onward_types::{RunKey, Status};

use super::{find, holder};
use crate::change::{Created, INLINE_MAX, NewRun, Queued};
use crate::driver::{Param, Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::{Born, NEW_RUN};
use crate::ops::queues;
use crate::signal::Signal;

/// Runs of more queues than this tell those who claim to look at all.
const QUEUES_MAX: usize = 8;

/// Create a run for whoever may claim it.
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

/// Create these runs for whoever may claim them, in their order. There are no more than one number of the sequence has room for.
pub(crate) async fn create_many(tx: &mut Tx, new: &[NewRun]) -> Result<Vec<Created>, Fault> {
    let first = queues::next_seq(tx).await?;
    // Two that create the same runs in another order would wait for each other.
    let mut numbered: Vec<(&NewRun, i64)> = new.iter().zip(first..).collect();
    numbered.sort_by_key(|(run, _)| (run.queued.as_ref().and_then(|it| it.dedup.as_deref()), run.id.as_str()));
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

/// What is told of a run that was created for whoever may claim it. One that enters its queue later has to be waited for.
fn ready(run: &NewRun) -> Signal {
    match &run.queued {
        Some(queued) if run.status == Status::Enqueued => Signal::Queued(queued.queue.clone()),
        _ => Signal::Ready,
    }
}

/// The same of many: no more than a few queues are worth their names.
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

/// Create a run, as what was decided of it.
pub(crate) async fn insert(tx: &mut Tx, born: &Born<'_>) -> Result<Created, Fault> {
    if insert_row(tx, born).await? { Ok(Created::New) } else { in_the_way(tx, born.run).await }
}

/// Create a run. False: it is there already, or something is in the way.
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
        // It was created before, and only the answer to the commit was lost.
        return Ok(if found.key == run.key { Created::New } else { Created::Existing(found) });
    }
    let holder = match &run.queued {
        Some(Queued { queue, dedup: Some(dedup), .. }) => holder(tx, queue, dedup).await?,
        _ => None,
    };
    match holder {
        Some(holder) => Ok(Created::Duplicate(holder)),
        // What was in the way has ended, or was deleted, since; or it gathers for the same key, and was made just now.
        None => Err(Fault::try_again(format!("what stands in the way of run {:?} has to be looked at again", run.id))),
    }
}

/// The row that a new run has.
fn row_of(born: &Born<'_>) -> Vec<Param> {
    NEW_RUN.iter().map(|column| Param::from(column.stored(born))).collect()
}
