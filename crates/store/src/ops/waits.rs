//! Waits as people see them.

use onward_types::{PersonRequest, Refused, RunId, RunKey, Status, StepKind, Wait, WaitFor, from_micros, hook_of};

use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The waits of these runs, in the order of runs and of positions.
pub(crate) async fn shown(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<(RunKey, Wait)>, Fault> {
    let rows = tx.query(sql!("waits/shown"), &params![keys]).await?;
    rows.iter().map(|row| Ok((row.key("run_key")?, wait(row)?))).collect()
}

/// A wait, from its row.
pub(super) fn wait(row: &Row) -> Result<Wait, Fault> {
    let until = || row.int("due_at").map(from_micros);
    let limit = || Ok::<_, Fault>(row.opt_int("due_at")?.map(from_micros));
    let (kind, name) = (row.text("kind")?, row.text("name")?);
    let wait_for = match kind.as_str() {
        "timer" => WaitFor::Timer { until: until()? },
        "retry" => WaitFor::Retry { until: until()?, step: name.clone() },
        "child" => {
            let key = row.key("child_key")?;
            let run = row.opt_text("child_id")?.map_or_else(|| RunId::of_key(key), RunId::recorded);
            let status = row.opt_text("child_status")?.map(|status| status.parse::<Status>()).transpose()?;
            WaitFor::Child { run, status }
        }
        "message" | "person" => {
            let (topic, until, refused) = (row.text("topic")?, limit()?, refused(row)?);
            match hook_of(&topic) {
                Some(token) => WaitFor::Hook { token: token.to_owned(), until, refused },
                None => WaitFor::Message { topic, until, refused },
            }
        }
        "event" => {
            WaitFor::Event { run: RunId::recorded(row.text("target")?), key: row.text("topic")?, until: until()? }
        }
        "resume" => WaitFor::Resume { resumed_at: limit()? },
        other => return Err(Fault::corrupt(format!("a row of `waits` is of kind `{other}`"))),
    };
    let person = if kind == "person" { Some(request(row)?) } else { None };
    Ok(Wait { position: row.count("position")?, name, since: from_micros(row.int("since")?), person, wait_for })
}

fn refused(row: &Row) -> Result<Option<Refused>, Fault> {
    let (count, message) = (row.count("refused")?, row.opt_text("refused_last")?);
    Ok(message.map(|message| Refused { count, message }))
}

/// What a person has to do, from the columns `title` and `schema`.
pub(super) fn request(row: &Row) -> Result<PersonRequest, Fault> {
    let request = PersonRequest::new(row.opt_text("title")?.unwrap_or_default());
    match row.opt_text("schema")? {
        Some(schema) => {
            let read = serde_json::from_str::<serde_json::Value>(&schema);
            let corrupt = |error| Fault::corrupt(format!("column `schema` in `person_requests`: {error}"));
            Ok(request.schema(read.map_err(corrupt)?))
        }
        None => Ok(request),
    }
}

/// The kind of the call that has this wait.
pub(crate) fn kind_of_call(wait: &WaitFor) -> StepKind {
    match wait {
        WaitFor::Child { .. } => StepKind::Child,
        WaitFor::Retry { .. } => StepKind::Step,
        WaitFor::Message { .. } | WaitFor::Hook { .. } => StepKind::Recv,
        WaitFor::Event { .. } => StepKind::GetEvent,
        WaitFor::Resume { .. } => StepKind::Pause,
        _ => StepKind::Sleep,
    }
}
