//! What clients do to the times of a run: start it now or later, and end its sleeps. And the runs whose deadlines have passed.

use std::time::Duration;

use onward_types::{Attribution, Code, Error, RunId, RunKey, Steering, SteeringAction, Timestamp};

use super::action::{Acted, Target};
use super::cascade::Cancelled;
use super::steerings;
use crate::clock::add;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

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

/// Start a run at once that waits in a queue or for its start time. It leaves its queue and takes no slot there.
pub(super) async fn start_now(tx: &mut Tx, run: &Target, who: &Attribution, now: Timestamp) -> Result<Acted, Fault> {
    tx.execute(sql!("runs/start_now"), &params![run.key, now]).await?;
    steerings::add(tx, &[run.key], &Steering::new(SteeringAction::StartNow, who, now)).await?;
    Ok(Acted { is_ready: true, ..Acted::one(run.key, None) })
}

/// End sleeps of a run: those at these positions, or all with `None`.
pub(super) async fn wake_up(
    tx: &mut Tx,
    run: &Target,
    who: &Attribution,
    positions: Option<&[u32]>,
    now: Timestamp,
) -> Result<Acted, Fault> {
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
    steerings::add(tx, &[run.key], &Steering::new(SteeringAction::WakeUp, who, now)).await?;
    let owned = run.executor.is_some();
    if !owned {
        tx.execute(sql!("runs/wake"), &params![run.key, now]).await?;
    }
    let woken = if owned { vec![run.key] } else { Vec::new() };
    Ok(Acted { count, woken, is_ready: !owned, ..Acted::of(vec![run.key]) })
}

/// Change the start time of a delayed run.
pub(super) async fn set_delay(
    tx: &mut Tx,
    run: &Target,
    who: &Attribution,
    delay: Duration,
    now: Timestamp,
) -> Result<Acted, Fault> {
    tx.execute(sql!("runs/set_ready_at"), &params![run.key, add(now, delay), now]).await?;
    steerings::add(tx, &[run.key], &Steering::new(SteeringAction::SetDelay, who, now)).await?;
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

/// The earliest deadline of a run.
pub(crate) async fn next_deadline(tx: &mut Tx) -> Result<Option<Timestamp>, Fault> {
    let row = tx.first(sql!("runs/next_deadline"), &[]).await?;
    Ok(row.map(|row| row.opt_int("deadline")).transpose()?.flatten().map(onward_types::from_micros))
}

pub(crate) fn unknown(id: &RunId) -> Fault {
    Error::new(Code::UnknownRun, format!("no run has the id {id:?}")).into()
}
