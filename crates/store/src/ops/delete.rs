//! Deleting runs: only those that have ended, have no owner, and whose result cannot be needed any more.

use onward_types::{Code, Error, RunKey};

use super::action::{Acted, Target};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Delete a run that has ended; with `children`, its descendants as well.
pub(crate) async fn delete(tx: &mut Tx, run: &Target, children: bool) -> Result<Acted, Fault> {
    check(run)?;
    if let Some(asker) = tx.first(sql!("runs/asker"), &params![run.key]).await? {
        let (id, asker) = (&run.id, asker.text("id")?);
        let message = format!(
            "run {id:?} cannot be deleted, because run `{asker}` may still need its result: wait until that one has ended"
        );
        return Err(Error::new(Code::IllegalMove, message).into());
    }
    let mut keys = vec![run.key];
    if children {
        keys.extend(descendants(tx, run.key).await?);
    } else if let Some(child) = tx.first(sql!("runs/open_child"), &params![run.key]).await? {
        let (id, child) = (&run.id, child.text("id")?);
        let message =
            format!("run {id:?} has the child `{child}`, which has not ended: cancel that one, or wait until it ends");
        return Err(Error::new(Code::IllegalMove, message).into());
    }
    let count = delete_all(tx, &keys).await?;
    // Those who wait for one of them learn that it no longer exists.
    Ok(Acted { count, ended: keys, ..Acted::default() })
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

fn check(run: &Target) -> Result<(), Fault> {
    if !run.status.is_terminal() {
        return Err(run.cannot("deleted", "cancel it first, or wait until it ends"));
    }
    match &run.executor {
        // It will release the run shortly, so the caller may retry.
        Some(executor) => {
            let id = &run.id;
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
    tx.execute(sql!("messages/delete_messages"), &of).await?;
    tx.execute(sql!("events/delete_events"), &of).await?;
    tx.execute(sql!("events/delete_history"), &of).await?;
    tx.execute(sql!("streams/delete_chunks"), &of).await?;
    tx.execute(sql!("hooks/delete_hooks"), &of).await?;
    tx.execute(sql!("pushes/delete_pushes"), &of).await?;
    tx.execute(sql!("runs/delete_payloads"), &of).await?;
    tx.execute(sql!("runs/delete"), &of).await
}
