//! Streams of runs: reading them, and their ends for an owner that continues them.

use onward_types::{Chunk, ChunkBody, Json, RunKey, Status, StreamRecord, from_micros};

use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::records::Chunks;

/// The last chunk of each stream of these runs.
pub(crate) async fn tails(tx: &mut Tx, runs: &[RunKey]) -> Result<Vec<Row>, Fault> {
    tx.query(sql!("streams/tails"), &params![runs]).await
}

pub(crate) fn tail(row: &Row) -> Result<StreamRecord, Fault> {
    let closed = row.text("kind")? == "close";
    Ok(StreamRecord { key: row.text("key")?, tail: row.int("idx")? - i64::from(closed), closed })
}

/// The streams of one run.
pub(crate) async fn of_run(tx: &mut Tx, run: RunKey) -> Result<Vec<StreamRecord>, Fault> {
    tails(tx, &[run]).await?.iter().map(tail).collect()
}

/// Up to `limit` chunks from an index on; `None` if the run does not exist.
pub(crate) async fn read(
    tx: &mut Tx,
    run: RunKey,
    stream: &str,
    from: i64,
    limit: u32,
) -> Result<Option<Chunks>, Fault> {
    let Some(row) = tx.first(sql!("streams/run"), &params![run, stream]).await? else { return Ok(None) };
    let status: Status = row.text("status")?.parse()?;
    // A cancelled run may still append until its owner has released it.
    let ended = status.is_terminal() && row.opt_text("executor")?.is_none();
    let closed = row.flag("closed")?;
    let rows = tx.query(sql!("streams/read"), &params![run, stream, from, limit]).await?;
    Ok(Some(Chunks { chunks: rows.iter().map(chunk).collect::<Result<_, _>>()?, closed, ended }))
}

fn chunk(row: &Row) -> Result<Chunk, Fault> {
    let attempt = row.count("attempt")?;
    let kind = row.text("kind")?;
    let body = match kind.as_str() {
        "json" => ChunkBody::Json(Json::from(row.text("body")?)),
        "bytes" => ChunkBody::Bytes(row.bytes("bytes")?.into()),
        "close" => ChunkBody::Close,
        other => return Err(Fault::corrupt(format!("a row of `streams` is of kind `{other}`"))),
    };
    let committed = match (attempt, row.flag("recorded")?) {
        (0, _) => Some(true),
        (_, true) => Some(row.opt_int("succeeded")? == Some(i64::from(attempt))),
        (_, false) => None,
    };
    Ok(Chunk {
        index: row.int("idx")?,
        position: row.count("position")?,
        attempt,
        committed,
        body,
        appended_at: from_micros(row.int("appended_at")?),
    })
}
