//! Events of runs, as others read them.

use onward_types::{EventRecord, Json, RunKey, from_micros};

use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The latest value of an event, if it was ever set.
pub(crate) async fn get(tx: &mut Tx, run: RunKey, key: &str) -> Result<Option<Json>, Fault> {
    let row = tx.first(sql!("events/get"), &params![run, key]).await?;
    row.map(|row| row.text("value").map(Json::from)).transpose()
}

/// The latest value of every event of a run, by key.
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
