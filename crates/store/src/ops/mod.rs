//! Database operations outside the journal's batches, written once for both databases.

pub(crate) mod action;
pub(crate) mod archive;
mod attributes;
pub(crate) mod cascade;
pub(crate) mod changes;
pub(crate) mod claim;
pub(crate) mod counts;
mod delete;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod executors;
mod fork;
pub(crate) mod gather;
pub(crate) mod hooks;
pub(crate) mod inside;
mod judge;
pub(crate) mod known;
pub(crate) mod list;
pub(crate) mod mailbox;
pub(crate) mod messages;
pub(crate) mod moves;
pub(crate) mod open_hooks;
pub(crate) mod parent_end;
pub(crate) mod people;
pub(crate) mod queue_claim;
mod queue_limits;
mod queue_waits;
pub(crate) mod queues;
pub(crate) mod recover;
mod resume;
pub(crate) mod retain;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod starts;
pub(crate) mod steer;
pub(crate) mod steerings;
pub(crate) mod streams;
pub(crate) mod transactions;
mod waits;
mod waits_for;
pub(crate) mod workflows;

use std::sync::Arc;

use onward_types::{Json, RunId, RunKey, from_micros};

use crate::change::WaitKind;
use crate::driver::{Param, Row, Tx, sql};
use crate::fault::Fault;
use crate::records::OpenWait;

/// From here on this transaction does not wait for locks: a sweep skips rows that others have locked, and tries again later.
pub(crate) async fn impatient(tx: &mut Tx) -> Result<(), Fault> {
    tx.query(sql!("sessions/impatient", split), &[]).await.map(drop)
}

/// A wait as replay needs it.
fn wait(row: &Row) -> Result<OpenWait, Fault> {
    let due_at = || row.int("due_at").map(from_micros);
    let topic = || row.text("topic").map(Arc::from);
    let kind = row.text("kind")?;
    let wait = match kind.as_str() {
        "timer" => WaitKind::Timer(due_at()?),
        "retry" => WaitKind::Retry(due_at()?),
        "child" => WaitKind::Child(row.key("child_key")?),
        "message" | "person" => WaitKind::Message {
            topic: topic()?,
            due_at: row.opt_int("due_at")?.map(from_micros),
            form: None,
            from_person: kind == "person",
        },
        "event" => WaitKind::Event { run: RunId::recorded(row.text("target")?), key: topic()?, due_at: due_at()? },
        "resume" => WaitKind::Resume { resumed_at: row.opt_int("due_at")?.map(from_micros) },
        other => return Err(Fault::corrupt(format!("a row of `waits` is of kind `{other}`"))),
    };
    Ok(OpenWait { position: row.count("position")?, wait, since: from_micros(row.int("since")?) })
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
