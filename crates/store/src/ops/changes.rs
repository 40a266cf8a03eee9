//! The feed of changes: who follows, what is recorded for them, and reading it.
//!
//! Triggers record which runs change, and exist only while somebody follows. An *epoch* is a time in which every change was
//! recorded. It begins when all triggers are there and ends before the first is removed, so a position of another epoch is void.

mod position;
mod seen;
mod tend;

pub use position::Position;
pub use seen::Seen;
pub(crate) use seen::{page, report};
pub(crate) use tend::{Tended, is_in_use, leave, prune, remove, removed, tend};

use std::time::Duration;

use onward_types::{RunId, RunKey, Status, Timestamp, from_micros};

use self::position::At;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The tables whose triggers record changes. On SQLite one script creates all of them.
pub(crate) const TABLES: [&str; 7] = ["runs", "checkpoints", "attempts", "waits", "messages", "events", "hooks"];

/// How long a lock on a table is waited for at first, and when that did not help. The longer time is more than PostgreSQL needs to
/// notice that only an autovacuum is in the way, and to end that.
pub(crate) const LOCK_TIMEOUTS: [&str; 2] = ["250ms", "1500ms"];

/// How long a follower counts as one after its last renewal, and how long changes are kept.
pub(crate) const KEPT: Duration = Duration::from_secs(600);

/// A run that changed, as it was recorded.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The run.
    pub key: RunKey,
    /// What is left of it, if it was deleted.
    pub(crate) deleted: Option<Deleted>,
}

/// What is left of a deleted run.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) version: String,
    pub(crate) status: Status,
    pub(crate) updated_at: Timestamp,
}

/// Changes that follow a position.
#[derive(Clone, Debug)]
pub struct ChangePage {
    /// The changes, each with the position after it. A run is in a page once, at the place of its last change.
    pub changes: Vec<(Position, Noted)>,
    /// The position after the page.
    pub next: Position,
    /// Whether more changes may follow at once.
    pub more: bool,
}

/// Register a follower. Returns whether changes are being recorded already.
pub(crate) async fn register(tx: &mut Tx, follower: &str, until: Timestamp) -> Result<bool, Fault> {
    let (epoch, _) = lock(tx).await?;
    tx.execute(sql!("changes/register"), &params![follower, until]).await?;
    if epoch.is_none() {
        // Noted before the first trigger exists: should this process die, the triggers are found and removed.
        tx.execute(sql!("changes/install"), &params![true]).await?;
    }
    Ok(epoch.is_some())
}

/// Record the changes of a table. Waits for the transactions that have written to it.
pub(crate) async fn follow_table(tx: &mut Tx, table: &str, lock_timeout: &str) -> Result<(), Fault> {
    lock(tx).await?;
    tx.query(sql!("changes/lock_timeout", split), &params![lock_timeout]).await?;
    tx.script(sql!("changes/follow_table", split), &params![table]).await
}

/// Begin an epoch unless one is in progress. All triggers exist.
pub(crate) async fn begin(tx: &mut Tx, epoch: &str) -> Result<(), Fault> {
    if lock(tx).await?.0.is_none() {
        tx.execute(sql!("changes/delete_all"), &[]).await?;
        tx.execute(sql!("changes/delete_marks"), &params![i64::MAX]).await?;
        tx.execute(sql!("changes/begin"), &params![epoch]).await?;
    }
    Ok(())
}

/// The position after every change so far; `None` if changes are not recorded.
pub(crate) async fn head(tx: &mut Tx) -> Result<Option<Position>, Fault> {
    let Some(row) = tx.first(sql!("changes/head", split), &[]).await? else { return Ok(None) };
    let (epoch, upto) = (row.opt_text("epoch")?, row.text("upto")?);
    epoch.map(|epoch| Ok(Position::new(&epoch, At::read(&upto, tx.is_sqlite())?))).transpose()
}

/// Up to `limit` changes after a position. `None` if some of them may be gone.
pub(crate) async fn since(tx: &mut Tx, after: &Position, limit: u32) -> Result<Option<ChangePage>, Fault> {
    let Some((seen, upto, seq)) = after.parameters(tx.is_sqlite()) else { return Ok(None) };
    let given = params![seen, upto, seq, limit, after.epoch()];
    let rows = tx.query(sql!("changes/since", split), &given).await?;
    let Some(first) = rows.first().filter(|row| row.flag("is_complete").is_ok_and(|it| it)) else { return Ok(None) };
    let upto = first.text("upto")?;
    let mut changes: Vec<(Position, Noted)> = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in &rows {
        let Some(key) = row.opt_key("run_key")? else { continue };
        let seq = row.int("seq")?;
        last = Some(seq);
        changes.push((after.upto(&upto, seq), Noted { key, deleted: deleted(row)? }));
    }
    let is_full = changes.len() >= limit as usize;
    let next = match last {
        Some(last) if is_full => after.upto(&upto, last),
        _ => after.past(&upto),
    };
    // A page that was begun before goes up to where it went then, which is not now.
    let more = is_full || after.is_in_page();
    Ok(Some(ChangePage { changes: latest(changes), next, more }))
}

/// Each run once, where its last change is. That it was deleted is not forgotten for a later row of what went with it.
fn latest(changes: Vec<(Position, Noted)>) -> Vec<(Position, Noted)> {
    let mut met = std::collections::HashMap::with_capacity(changes.len());
    let mut kept: Vec<Option<(Position, Noted)>> = Vec::with_capacity(changes.len());
    for (position, mut noted) in changes {
        if let Some(before) = met.insert(noted.key, kept.len())
            && let Some((_, before)) = kept[before].take()
        {
            noted.deleted = noted.deleted.or(before.deleted);
        }
        kept.push(Some((position, noted)));
    }
    kept.into_iter().flatten().collect()
}

fn deleted(row: &Row) -> Result<Option<Deleted>, Fault> {
    let Some(id) = row.opt_text("id")? else { return Ok(None) };
    Ok(Some(Deleted {
        id: RunId::recorded(id),
        workflow: row.text("workflow")?,
        version: row.text("version")?,
        status: row.text("status")?.parse()?,
        updated_at: from_micros(row.int("updated_at")?),
    }))
}

/// Lock the state of the feed: the epoch, and whether triggers may exist.
async fn lock(tx: &mut Tx) -> Result<(Option<String>, bool), Fault> {
    let row = tx.first(sql!("changes/lock"), &[]).await?;
    let row = row.ok_or_else(|| Fault::corrupt("the table `feed` has no row"))?;
    Ok((row.opt_text("epoch")?, row.flag("installed")?))
}
