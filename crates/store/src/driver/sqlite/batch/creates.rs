//! New runs, and what is in the way of those that are not created.

use onward_types::{RunId, RunKey};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, ToSql, Transaction, params_from_iter};

use super::{long, put_payload, uuid_blob};
use crate::change::{Created, Existing, NewRun, Queued};
use crate::driver::{Sql, sql};
use crate::journal::{Batch, Committed};
use crate::new_run::{Born, NEW_RUN, Value};

/// Create the runs of the batch. Returns the runs that have continued as if a child existed that could not be created: their
/// other changes are left out.
pub(super) fn write(tx: &Transaction<'_>, batch: &Batch, committed: &mut Committed) -> rusqlite::Result<Vec<RunKey>> {
    let mut conflicting = Vec::new();
    for create in batch.creates.iter().filter(|create| !committed.refused.contains(&create.by)) {
        let waits = has_to_wait(tx, &create.run)?;
        if insert_run(tx, &create.run, waits)? == 0
            && let Some(why) = in_the_way(tx, &create.run)?
        {
            committed.not_created.insert(create.run.key, why);
            conflicting.extend(create.run.must_be_new.then_some(create.by));
        } else if waits {
            committed.waiting.insert(create.run.key);
        }
    }
    Ok(conflicting)
}

/// Whether the run has no owner at first: any executor may claim it, or its queue does not let it begin at once.
fn has_to_wait(tx: &Transaction<'_>, run: &NewRun) -> rusqlite::Result<bool> {
    match (&run.executor, &run.queued) {
        (None, _) => Ok(true),
        (Some(_), None) => Ok(false),
        (Some(_), Some(queued)) => {
            Ok(!tx.prepare_cached(sql!("batch/creates_queued_begins.sqlite").sqlite())?.exists([&queued.queue])?)
        }
    }
}

fn insert_run(tx: &Transaction<'_>, run: &NewRun, waits: bool) -> rusqlite::Result<usize> {
    let seq: Option<i64> = match run.queued.as_ref().filter(|_| waits) {
        Some(_) => tx
            .prepare_cached(sql!("queues/next_seq", split).sqlite())?
            .query_row([], |row| row.get("seq"))
            .optional()?,
        None => None,
    };
    let born = Born { begins: !waits, seq, ..Born::of(run) };
    let row = params_from_iter(NEW_RUN.iter().map(|column| column.stored(&born)));
    let created = tx.prepare_cached(sql!("runs/create").sqlite())?.execute(row)?;
    if created == 1 {
        put_payload(tx, run.key, "input", long(&run.input))?;
    }
    Ok(created)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Key(key) => ValueRef::Blob(key.as_bytes()),
        }))
    }
}

/// Why this run was not created: another run has its id, or its dedup key in its queue. `None` if it was created, or if that other
/// run has been deleted since.
pub(super) fn in_the_way(tx: &Transaction<'_>, run: &NewRun) -> rusqlite::Result<Option<Created>> {
    let find = |sql: &Sql, given: &[&str]| {
        tx.prepare_cached(sql.sqlite())?.query_row(params_from_iter(given), existing).optional()
    };
    match (find(sql!("runs/existing"), &[run.id.as_str()])?, &run.queued) {
        (Some(found), _) => Ok((found.key != run.key).then_some(Created::Existing(found))),
        (None, Some(Queued { queue, dedup: Some(dedup), .. })) => {
            let holder = match find(sql!("runs/holder"), &[queue, dedup])? {
                Some(holder) => Some(holder),
                None => find(sql!("batch/holders_last.sqlite"), &[queue, dedup])?,
            };
            Ok(holder.map(Created::Duplicate))
        }
        (None, _) => Ok(None),
    }
}

fn existing(row: &rusqlite::Row<'_>) -> rusqlite::Result<Existing> {
    let parent = row.get::<_, Option<uuid_blob::Key>>("parent_key")?;
    Ok(Existing {
        key: row.get::<_, uuid_blob::Key>("run_key")?.0,
        id: RunId::recorded(row.get("id")?),
        workflow: row.get("workflow")?,
        input_hash: row.get("input_hash")?,
        parent: parent.map(|it| it.0).zip(row.get("parent_position")?),
    })
}
