//! Records of a move to another database, kept in both databases.

use onward_types::{Code, Error, Timestamp};

use super::{counts, executors};
use crate::driver::copy::Cell;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// The `part` of the record in the source, which names the target.
pub(crate) const TO: &str = "to";
/// The `part` of the record in the target, which names the source.
pub(crate) const FROM: &str = "from";

/// A record of the whole move, or of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) part: String,
    /// The id of the move, the same in both databases.
    pub(crate) id: String,
    /// The location of the other database, for display.
    pub(crate) place: String,
    pub(crate) done: bool,
    /// The key of the last row that was copied.
    pub(crate) upto: Option<Vec<Cell>>,
}

/// All records of a database.
pub(crate) async fn read(tx: &mut Tx) -> Result<Vec<Part>, Fault> {
    let rows = tx.query(sql!("moves/read"), &[]).await?;
    let part = |row: &crate::driver::Row| {
        let upto = row.opt_text("upto")?.map(|text| cells(&text)).transpose()?;
        let (part, id, place) = (row.text("part")?, row.text("id")?, row.text("place")?);
        Ok(Part { part, id, place, done: row.flag("done")?, upto })
    };
    rows.iter().map(part).collect()
}

pub(crate) async fn put(tx: &mut Tx, part: &Part, now: Timestamp) -> Result<(), Fault> {
    let Part { part, id, place, done, upto } = part;
    let upto = upto.as_deref().map(text);
    tx.execute(sql!("moves/put"), &params![part.as_str(), id.as_str(), place.as_str(), *done, upto, now]).await?;
    Ok(())
}

pub(crate) async fn forget(tx: &mut Tx, part: &str) -> Result<(), Fault> {
    tx.execute(sql!("moves/forget"), &params![part]).await.map(drop)
}

/// The target has all rows: it becomes an ordinary database and continues where the source was.
pub(crate) async fn end(tx: &mut Tx) -> Result<(), Fault> {
    counts::recount(tx).await?;
    tx.query(sql!("moves/go_on", split), &[]).await?;
    tx.execute(sql!("moves/forget_tables"), &[]).await.map(drop)
}

/// Record the start of a move, unless an executor is running. Executors that join later find the record.
pub(crate) async fn begin(tx: &mut Tx, part: &Part, now: Timestamp) -> Result<(), Fault> {
    if tx.is_sqlite() {
        // The caller holds the lock that only one executor of a SQLite file can have.
        executors::declare_all_dead(tx).await?;
    } else {
        tx.execute(sql!("moves/hold"), &[]).await?;
    }
    let rows = executors::list(tx).await?;
    match rows.iter().find(|row| !row.dead) {
        Some(row) => Err(at_work(row).into()),
        None => put(tx, part, now).await,
    }
}

pub(crate) fn at_work(row: &onward_types::ExecutorRecord) -> Error {
    let onward_types::ExecutorRecord { id, host, pid, .. } = row;
    let message = format!("executor `{id}` (process {pid} on {host}) is running on that database: shut it down first");
    Error::new(Code::InUse, message)
}

/// Refuse to execute runs in either database during a move, and in the source after it.
pub(crate) async fn check(tx: &mut Tx) -> Result<(), Fault> {
    for Part { part, place, done, .. } in read(tx).await? {
        let message = match (part.as_str(), done) {
            (TO, true) => moved(&place),
            (TO, false) => format!(
                "the runs of this database are being moved to {place}: let `onward move` finish, or cancel it with `onward move \
                 --undo`"
            ),
            (FROM, _) => format!("this database is being filled with the runs of {place}: let `onward move` finish"),
            _ => continue,
        };
        return Err(Error::new(Code::Moved, message).into());
    }
    Ok(())
}

fn moved(place: &str) -> String {
    format!(
        "the runs of this database were moved to {place}: open that one. To execute them here again, if nothing was executed there, \
         cancel the move with `onward move --undo`"
    )
}

/// Refuse a database whose runs have been moved.
pub(crate) async fn check_moved(tx: &mut Tx) -> Result<(), Fault> {
    match read(tx).await?.into_iter().find(|it| it.part == TO && it.done) {
        Some(part) => Err(Error::new(Code::Moved, moved(&part.place)).into()),
        None => Ok(()),
    }
}

/// How many runs have an owner.
pub(crate) async fn owned(tx: &mut Tx) -> Result<i64, Fault> {
    tx.first(sql!("moves/owned"), &[]).await?.map_or(Ok(0), |row| row.int("many"))
}

/// Encode a key as text. Bytes are the key of a run.
fn text(key: &[Cell]) -> String {
    let part = |cell: &Cell| match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Int(int) => (*int).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Bytes(bytes) => serde_json::json!({ "bytes": bytes }),
    };
    serde_json::Value::from(key.iter().map(part).collect::<Vec<_>>()).to_string()
}

fn cells(text: &str) -> Result<Vec<Cell>, Fault> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Part {
        Int(i64),
        Text(String),
        Bytes { bytes: Vec<u8> },
        Null(()),
    }
    let parts: Vec<Part> = serde_json::from_str(text)
        .map_err(|error| Fault::corrupt(format!("column `upto` of `moves` is `{text}`: {error}")))?;
    let cell = |part| match part {
        Part::Int(int) => Cell::Int(int),
        Part::Text(text) => Cell::Text(text),
        Part::Bytes { bytes } => Cell::Bytes(bytes),
        Part::Null(()) => Cell::Null,
    };
    Ok(parts.into_iter().map(cell).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_as_it_is() {
        let key = vec![Cell::Bytes(vec![0, 255]), Cell::Int(-7), Cell::Text("a \"b\"".to_owned()), Cell::Null];
        assert_eq!(cells(&text(&key)).unwrap(), key);
    }
}
