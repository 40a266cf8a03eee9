//! Deleting runs: only those that have ended, have no owner, and whose result cannot be needed any more.

use onward_types::RunKey;

use super::action::{Acted, Target};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Delete a run that has ended; with `children`, its descendants as well.
pub(super) async fn delete(tx: &mut Tx, run: &Target, children: bool) -> Result<Acted, Fault> {
    check(run)?;
    let mut keys = vec![run.key];
    if children {
        keys.extend(descendants(tx, run.key).await?);
    }
    let count = delete_all(tx, &keys).await?;
    // Those who wait for one of them learn that it no longer exists.
    Ok(Acted { count, ended: keys.clone(), ..Acted::of(keys) })
}

/// All descendants of a run. Each of them must have ended.
async fn descendants(tx: &mut Tx, run: RunKey) -> Result<Vec<RunKey>, Fault> {
    let mut all = Vec::new();
    let mut level = vec![run];
    while !level.is_empty() {
        let rows = tx.query(sql!("runs/family"), &params![&level]).await?;
        level = Vec::new();
        for row in &rows {
            let child = Target::read(row)?;
            check(&child)?;
            level.push(child.key);
        }
        all.extend(&level);
    }
    Ok(all)
}

/// Whether it has ended was decided before, but for a descendant that was just resumed.
fn check(run: &Target) -> Result<(), Fault> {
    let id = &run.id;
    if !run.status.is_terminal() {
        return Err(Fault::try_again(format!("run {id:?} was just resumed: try again")));
    }
    match &run.executor {
        // It will release the run shortly, so the caller may retry.
        Some(executor) => {
            Err(Fault::try_again(format!("executor `{executor}` has not released run {id:?} yet: try again")))
        }
        None => Ok(()),
    }
}

/// Delete these runs with everything that belongs to them.
pub(crate) async fn delete_all(tx: &mut Tx, keys: &[RunKey]) -> Result<u64, Fault> {
    super::counts::deleted(tx, keys).await?;
    let of = params![keys];
    tx.execute(sql!("checkpoints/delete_checkpoints"), &of).await?;
    tx.execute(sql!("checkpoints/delete_attempts"), &of).await?;
    tx.execute(sql!("waits/delete_waits"), &of).await?;
    tx.execute(sql!("people/delete_requests"), &of).await?;
    tx.execute(sql!("messages/delete_messages"), &of).await?;
    tx.execute(sql!("events/delete_events"), &of).await?;
    tx.execute(sql!("events/delete_history"), &of).await?;
    tx.execute(sql!("streams/delete_chunks"), &of).await?;
    tx.execute(sql!("hooks/delete_hooks"), &of).await?;
    tx.execute(sql!("pushes/delete_pushes"), &of).await?;
    tx.execute(sql!("steerings/delete_steerings"), &of).await?;
    tx.execute(sql!("runs/delete_payloads"), &of).await?;
    tx.execute(sql!("runs/delete"), &of).await
}
