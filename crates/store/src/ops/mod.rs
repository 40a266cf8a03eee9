//! Database operations outside the journal's batches, written once for both databases.

pub(crate) mod action;
pub(crate) mod archive;
mod attributes;
pub(crate) mod claim;
pub(crate) mod counts;
mod delete;
pub(crate) mod events;
pub(crate) mod executors;
mod fork;
pub(crate) mod gather;
pub(crate) mod hooks;
pub(crate) mod known;
pub(crate) mod list;
pub(crate) mod mailbox;
pub(crate) mod messages;
pub(crate) mod moves;
pub(crate) mod queue_claim;
pub(crate) mod queues;
pub(crate) mod recover;
pub(crate) mod retain;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod starts;
pub(crate) mod steer;
pub(crate) mod streams;
pub(crate) mod transactions;

use onward_types::{Json, RunId, RunKey, Wait, WaitFor, from_micros};

use crate::driver::{Param, Row, Tx, params, sql};
use crate::fault::Fault;

/// From here on this transaction does not wait for locks: a sweep skips rows that others have locked, and tries again later.
pub(crate) async fn impatient(tx: &mut Tx) -> Result<(), Fault> {
    tx.query(sql!("sessions/impatient", split), &[]).await.map(drop)
}

/// The waits of these runs.
pub(crate) async fn waits(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<(RunKey, Wait)>, Fault> {
    let rows = tx.query(sql!("waits/of_runs"), &params![keys]).await?;
    rows.iter().map(|row| Ok((row.key("run_key")?, wait(row)?))).collect()
}

fn wait(row: &Row) -> Result<Wait, Fault> {
    let due_at = || row.int("due_at").map(from_micros);
    let kind = row.text("kind")?;
    let wait_for = match kind.as_str() {
        "timer" => WaitFor::Timer { due_at: due_at()? },
        "retry" => WaitFor::Retry { due_at: due_at()? },
        "child" => {
            let key = row.key("child_key")?;
            let id = row.opt_text("child_id")?.map_or_else(|| RunId::of_key(key), RunId::recorded);
            WaitFor::Child { key, id }
        }
        "message" => WaitFor::Message { topic: row.text("topic")?, due_at: row.opt_int("due_at")?.map(from_micros) },
        "event" => {
            WaitFor::Event { run: RunId::recorded(row.text("target")?), key: row.text("topic")?, due_at: due_at()? }
        }
        other => return Err(Fault::corrupt(format!("a row of `waits` is of kind `{other}`"))),
    };
    Ok(Wait { position: row.count("position")?, wait_for, since: from_micros(row.int("since")?) })
}

/// The recorded output or error.
fn result(row: &Row) -> Result<Result<Json, Json>, Fault> {
    match (row.opt_text("output")?, row.opt_text("error")?) {
        (Some(output), None) => Ok(Ok(Json::from(output))),
        (None, Some(error)) => Ok(Err(Json::from(error))),
        _ => Err(Fault::corrupt("a row of `checkpoints` must have either an output or an error")),
    }
}

impl From<&[RunKey]> for Param {
    fn from(keys: &[RunKey]) -> Param {
        Param::Keys(keys.to_vec())
    }
}

impl From<&Vec<RunKey>> for Param {
    fn from(keys: &Vec<RunKey>) -> Param {
        Param::Keys(keys.clone())
    }
}

impl From<&Vec<String>> for Param {
    fn from(texts: &Vec<String>) -> Param {
        Param::Texts(texts.clone())
    }
}
