//! Children that their parent outlives or waits for: what becomes of them when it ends.
//!
//! A child that is cancelled with the end of its parent is found by its state, so a crash between the two loses nothing.

use onward_types::{Attribution, RunId, RunKey, Steering, SteeringAction, Timestamp};

use super::cascade::{Cancelled, Cascade};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Up to `limit` runs after this one that are to be cancelled because their parent has ended.
pub(crate) async fn outlived(tx: &mut Tx, after: RunKey, limit: u32) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/outlived"), &params![after, limit]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Cancel those of these runs that are still to be cancelled, with everything that they started. Does not wait for locks.
pub(crate) async fn cancel_outlived(tx: &mut Tx, keys: &[RunKey], now: Timestamp) -> Result<Cancelled, Fault> {
    super::impatient(tx).await?;
    let mut cascade = Cascade::default();
    for row in tx.query(sql!("runs/still_outlived"), &params![keys]).await? {
        let (run, id) = (row.key("run_key")?, RunId::recorded(row.text("id")?));
        let parent = RunId::recorded(row.text("parent_id")?);
        let why = if row.flag("failed")? { "the attempt that started it has failed" } else { "its parent has ended" };
        let who = Attribution { reason: Some(why.to_owned()), ..Attribution::run(&parent) };
        let steering = Steering::new(SteeringAction::Cancel, &who, now);
        match row.opt_key("with_key")? {
            Some(with) => cascade.cancel_with(tx, with, &steering, vec![run]).await?,
            None => cascade.cancel(tx, run, &id, &steering).await?,
        }
    }
    cascade.tell(tx, now).await
}

/// A child that this run waits for before it ends, and that has not ended.
pub(crate) async fn awaited(tx: &mut Tx, parent: RunKey) -> Result<Option<RunKey>, Fault> {
    let row = tx.first(sql!("runs/awaited_child"), &params![parent]).await?;
    row.map(|row| row.key("run_key")).transpose()
}
