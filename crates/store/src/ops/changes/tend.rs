//! What keeps the feed small: followers that vanished are forgotten, changes that nobody needs are deleted, and when nobody
//! follows any more, nothing is recorded.

use std::time::Duration;

use onward_types::{Timestamp, from_micros, micros};

use super::{KEPT, lock};
use crate::clock::add;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// How often is noted what can be seen.
const MARK: Duration = Duration::from_secs(20);
/// With more changes than this, the oldest are deleted before their time.
const CHANGES_MAX: i64 = 1_000_000;
/// How many changes one transaction deletes.
pub(crate) const CHUNK: u32 = 5_000;

/// The state of the feed after it was tended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tended {
    /// Whether the follower is registered. If it was forgotten, it may have missed changes.
    pub(crate) is_registered: bool,
    /// Whether changes may be deleted.
    pub(crate) is_pruned: bool,
    /// Whether triggers are to be removed.
    pub(crate) is_over: bool,
}

/// Whether anything has to be tended.
pub(crate) async fn is_in_use(tx: &mut Tx) -> Result<bool, Fault> {
    tx.first(sql!("changes/state"), &[]).await?.map_or(Ok(false), |row| row.flag("is_in_use"))
}

/// Renew a follower, if one is given, and tidy up.
pub(crate) async fn tend(tx: &mut Tx, follower: Option<&str>, now: Timestamp) -> Result<Tended, Fault> {
    let (epoch, installed) = lock(tx).await?;
    let is_registered = match follower {
        Some(follower) => tx.execute(sql!("changes/renew"), &params![follower, add(now, KEPT)]).await? > 0,
        None => false,
    };
    tx.execute(sql!("changes/expire"), &params![now]).await?;
    let is_followed = is_followed(tx).await?;
    let mut is_pruned = epoch.is_none() && installed;
    match (epoch, is_followed) {
        (Some(_), false) => {
            tx.execute(sql!("changes/end", split), &[]).await?;
            is_pruned = true;
        }
        (Some(_), true) => is_pruned = mark(tx, now).await?,
        (None, _) => {}
    }
    Ok(Tended { is_registered, is_pruned, is_over: installed && !is_followed })
}

/// Note what can be seen now, and find what has become too old or too much. Returns whether there is any.
async fn mark(tx: &mut Tx, now: Timestamp) -> Result<bool, Fault> {
    tx.execute(sql!("changes/mark", split), &params![now, before(now, MARK)]).await?;
    let found = tx.first(sql!("changes/old_mark"), &params![before(now, KEPT), CHANGES_MAX]).await?;
    let Some(row) = found else { return Ok(false) };
    tx.execute(sql!("changes/let_go"), &params![row.text("upto")?]).await?;
    tx.execute(sql!("changes/delete_marks"), &params![row.int("at")?]).await?;
    Ok(true)
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    from_micros(micros(now).saturating_sub(age))
}

/// Delete some of the changes that no cursor needs. Returns whether there may be more.
pub(crate) async fn prune(tx: &mut Tx) -> Result<bool, Fault> {
    Ok(tx.execute(sql!("changes/prune", split), &params![CHUNK]).await? >= u64::from(CHUNK))
}

/// Remove the triggers of a table, unless somebody follows again. Returns whether it did.
pub(crate) async fn remove(tx: &mut Tx, table: &str, lock_timeout: &str) -> Result<bool, Fault> {
    let (epoch, _) = lock(tx).await?;
    if epoch.is_some() || is_followed(tx).await? {
        return Ok(false);
    }
    tx.query(sql!("changes/lock_timeout", split), &params![lock_timeout]).await?;
    tx.script(sql!("changes/unfollow_table", split), &params![table]).await?;
    Ok(true)
}

/// All triggers were removed.
pub(crate) async fn removed(tx: &mut Tx) -> Result<(), Fault> {
    let (epoch, _) = lock(tx).await?;
    if epoch.is_none() && !is_followed(tx).await? {
        tx.execute(sql!("changes/delete_all"), &[]).await?;
        tx.execute(sql!("changes/install"), &params![false]).await?;
    }
    Ok(())
}

/// Forget a follower.
pub(crate) async fn leave(tx: &mut Tx, follower: &str) -> Result<(), Fault> {
    lock(tx).await?;
    tx.execute(sql!("changes/leave"), &params![follower]).await.map(drop)
}

/// Looked up in a statement after the one that locked: a follower that registered meanwhile is seen.
async fn is_followed(tx: &mut Tx) -> Result<bool, Fault> {
    tx.first(sql!("changes/followed"), &[]).await?.map_or(Ok(false), |row| row.flag("is_followed"))
}
