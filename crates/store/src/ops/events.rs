//! Reading the events of runs.

use onward_types::{EventRecord, Json, RunId, RunKey, Timestamp, from_micros};

use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The key of a run, and the latest value of one of its events if it was ever set. `None` if the run does not exist.
pub(crate) async fn of_id(tx: &mut Tx, run: &RunId, key: &str) -> Result<Option<(RunKey, Option<Json>)>, Fault> {
    if !run.is_possible() {
        return Ok(None);
    }
    let row = tx.first(sql!("events/of_id"), &params![run.as_str(), key]).await?;
    row.map(|row| Ok((row.key("run_key")?, row.opt_text("value")?.map(Json::from)))).transpose()
}

/// The latest value of each event of a run, ordered by key.
pub(crate) async fn of_run(tx: &mut Tx, run: RunKey) -> Result<Vec<EventRecord>, Fault> {
    let rows = tx.query(sql!("events/of_run"), &params![run]).await?;
    rows.iter().map(event).collect()
}

fn event(row: &Row) -> Result<EventRecord, Fault> {
    Ok(EventRecord {
        key: row.text("key")?,
        value: Json::from(row.text("value")?),
        updated_at: from_micros(row.int("updated_at")?),
    })
}

/// Wake parked runs that wait for an event that a new run already has, because it was forked or imported.
pub(crate) async fn wake_watchers(tx: &mut Tx, run: RunKey, now: Timestamp) -> Result<(), Fault> {
    tx.execute(sql!("events/wake_watchers"), &params![run, now]).await.map(drop)
}
