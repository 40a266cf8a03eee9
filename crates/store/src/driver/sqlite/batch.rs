//! How a batch is written to SQLite: a tight loop of cached statements over each kind, in the order of [`Batch`]'s fields. What
//! PostgreSQL does instead lies beside each statement, in `sql/batch`.

mod creates;
mod leaves;

use std::collections::{HashMap, HashSet};

use onward_types::{ChunkBody, Json, RunKey, micros};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::connection::fault;
use crate::change::{INLINE_MAX, Leave, LeaveHow, NewChunk};
use crate::driver::sql;
use crate::fault::Fault;
use crate::journal::{Batch, Committed, Create, Event, Refusal};

/// Write the batch and commit it.
pub(super) fn write(connection: &mut Connection, batch: &Batch) -> Result<Committed, Fault> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let executor = batch.executor.as_ref().map_or("", |executor| executor.as_str());
    crate::crash::point("batch.begun");
    let moved = tx
        .prepare_cached(sql!("batch/fence.sqlite").sqlite())
        .and_then(|mut it| it.execute(params![executor, as_int(batch.number)]))
        .map_err(fault)?;
    if moved != 1 {
        return Err(Fault::fenced());
    }
    let refused = revoked(&tx, executor, batch)?;
    let mut committed = Committed { refused, ..Committed::default() };
    write_rows(&tx, executor, batch, &mut committed).map_err(fault)?;
    crate::crash::point("batch.written");
    tx.commit().map_err(fault)?;
    Ok(committed)
}

/// What became of a batch whose answer was lost: `None` if it was not committed. Called after the database was reopened.
pub(super) fn look(connection: &mut Connection, batch: &Batch) -> Result<Option<Committed>, Fault> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let executor = batch.executor.as_ref().map_or("", |executor| executor.as_str());
    let fence: Option<(i64, bool)> = tx
        .prepare_cached(sql!("batch/take_fence.sqlite").sqlite())
        .and_then(|mut it| it.query_row([executor], |row| Ok((row.get("batch")?, row.get("dead")?))).optional())
        .map_err(fault)?;
    match fence {
        Some((number, false)) if number == as_int(batch.number) => {
            let refused = revoked(&tx, executor, batch)?;
            let mut not_created = HashMap::new();
            for Create { run, .. } in &batch.creates {
                not_created.extend(creates::in_the_way(&tx, run).map_err(fault)?.map(|why| (run.key, why)));
            }
            // The batch was committed, so a run that is revoked now was revoked after it.
            let waiting = batch.for_queues();
            Ok(Some(Committed { late: refused, not_created, waiting, ..Committed::default() }))
        }
        Some((number, false)) if number + 1 == as_int(batch.number) => Ok(None),
        _ => Err(Fault::fenced()),
    }
}

/// The runs of this batch that were taken from their owner.
fn revoked(tx: &Transaction<'_>, executor: &str, batch: &Batch) -> Result<HashSet<RunKey>, Fault> {
    let mut statement = tx.prepare_cached(sql!("runs/revoked").sqlite()).map_err(fault)?;
    let rows = statement.query_map([executor], |row| row.get::<_, uuid_blob::Key>("run_key")).map_err(fault)?;
    let all: HashSet<RunKey> = rows.map(|key| key.map(|key| key.0)).collect::<Result<_, _>>().map_err(fault)?;
    if all.is_empty() {
        return Ok(all);
    }
    // A revoked run may still be released by its owner.
    let letting_go: HashSet<RunKey> = batch.updates.iter().filter(|it| lets_go(&it.leave)).map(|it| it.run).collect();
    Ok(batch.owned.iter().copied().filter(|run| all.contains(run) && !letting_go.contains(run)).collect())
}

fn lets_go(leave: &Leave) -> bool {
    matches!(leave.how, LeaveHow::LetGo)
}

fn write_rows(tx: &Transaction<'_>, executor: &str, batch: &Batch, committed: &mut Committed) -> rusqlite::Result<()> {
    // Nearly always empty; then the copy costs nothing.
    let mut refused = committed.refused.clone();
    refused.extend(creates::write(tx, batch, committed)?);
    write_steps(tx, batch, &refused)?;
    write_attempts(tx, batch, &refused)?;
    write_talk(tx, batch, &refused)?;
    write_requests(tx, batch, &refused)?;
    write_waits(tx, executor, batch, &refused)?;
    leaves::write(tx, executor, batch, &refused, committed)?;
    let mut wake_watchers = tx.prepare_cached(sql!("batch/wake_watchers.sqlite").sqlite())?;
    for (run, Event { key, at, .. }) in batch.events.iter().filter(|(run, _)| !refused.contains(run)) {
        if wake_watchers.execute(params![run.as_bytes(), &**key, micros(*at)])? > 0 {
            committed.woke.insert(*run);
        }
    }
    Ok(())
}

/// Results of steps and of other durable calls.
fn write_steps(tx: &Transaction<'_>, batch: &Batch, refused: &HashSet<RunKey>) -> rusqlite::Result<()> {
    let mut checkpoint = tx.prepare_cached(sql!("checkpoints/insert").sqlite())?;
    for (run, it) in batch.checkpoints.iter().filter(|(run, _)| !refused.contains(run)) {
        let (output, error) = split(&it.result);
        let seq = as_int(it.seq);
        let times = (micros(it.started_at), micros(it.finished_at));
        let kind = it.kind.as_str();
        checkpoint.execute(params![
            run.as_bytes(),
            it.position,
            seq,
            kind,
            &*it.name,
            output,
            error,
            times.0,
            times.1,
            it.notes.as_ref().map(Json::as_str)
        ])?;
    }
    Ok(())
}

fn write_attempts(tx: &Transaction<'_>, batch: &Batch, refused: &HashSet<RunKey>) -> rusqlite::Result<()> {
    let mut attempt = tx.prepare_cached(sql!("batch/attempts.sqlite").sqlite())?;
    for (run, it) in batch.attempts.iter().filter(|(run, _)| !refused.contains(run)) {
        let (started_at, finished_at) = (micros(it.started_at), it.finished_at.map(micros));
        let failures = (it.failures > 0).then_some(it.failures);
        let (beat_at, progress) = it.heartbeat.as_ref().map(|it| (micros(it.at), it.progress.as_str())).unzip();
        attempt.execute(params![
            run.as_bytes(),
            it.position,
            it.attempt,
            &*it.name,
            started_at,
            finished_at,
            it.error.as_ref().map(Json::as_str),
            it.notes.as_ref().map(Json::as_str),
            failures,
            it.retry_at.map(micros),
            beat_at,
            progress
        ])?;
    }
    if batch.dropped_attempts.is_empty() {
        return Ok(());
    }
    let mut drop = tx.prepare_cached(sql!("batch/drop_attempts.sqlite").sqlite())?;
    for (run, position, attempt) in batch.dropped_attempts.iter().filter(|(run, ..)| !refused.contains(run)) {
        drop.execute(params![run.as_bytes(), position, attempt])?;
    }
    Ok(())
}

/// Waits that ended, and waits that began.
fn write_waits(tx: &Transaction<'_>, executor: &str, batch: &Batch, refused: &HashSet<RunKey>) -> rusqlite::Result<()> {
    let mut close = tx.prepare_cached(sql!("batch/close_waits.sqlite").sqlite())?;
    for (run, position) in batch.closed.iter().filter(|(run, _)| !refused.contains(run)) {
        close.execute(params![run.as_bytes(), position])?;
    }
    let mut open = tx.prepare_cached(sql!("batch/open_waits.sqlite").sqlite())?;
    for (run, it) in batch.opened.iter().filter(|(run, _)| !refused.contains(run)) {
        let (kind, due_at, since) = (it.wait.as_str(), it.wait.due_at().map(micros), micros(it.since));
        let child = it.wait.child();
        let child = child.as_ref().map(RunKey::as_bytes);
        let (topic, target) = (it.wait.topic(), it.wait.target());
        let form = it.wait.form();
        let form_by = form.map(|_| executor);
        let (key, name) = (run.as_bytes(), &*it.name);
        open.execute(params![key, it.position, kind, name, due_at, child, topic, target, since, form, form_by])?;
    }
    Ok(())
}

/// Messages that runs consumed, and what they published.
fn write_talk(tx: &Transaction<'_>, batch: &Batch, refused: &HashSet<RunKey>) -> rusqlite::Result<()> {
    let mut consume = tx.prepare_cached(sql!("batch/consume.sqlite").sqlite())?;
    for (run, seq, position) in batch.consumed.iter().filter(|(run, ..)| !refused.contains(run)) {
        let taken = consume.execute(params![run.as_bytes(), seq, position])?;
        if taken != 1 {
            return Err(rusqlite::Error::StatementChangedRows(taken));
        }
    }
    let mut refuse = tx.prepare_cached(sql!("batch/refuse.sqlite").sqlite())?;
    for (run, Refusal { seq, said, at }) in batch.refusals.iter().filter(|(run, _)| !refused.contains(run)) {
        refuse.execute(params![run.as_bytes(), seq, said, micros(*at)])?;
    }
    let mut set = tx.prepare_cached(sql!("batch/events.sqlite").sqlite())?;
    for (run, Event { key, value, at, .. }) in batch.events.iter().filter(|(run, _)| !refused.contains(run)) {
        set.execute(params![run.as_bytes(), &**key, value.as_str(), micros(*at)])?;
    }
    let mut keep = tx.prepare_cached(sql!("batch/event_history.sqlite").sqlite())?;
    for (run, it) in batch.event_history.iter().filter(|(run, _)| !refused.contains(run)) {
        keep.execute(params![run.as_bytes(), it.position, &*it.key, it.value.as_str(), micros(it.at)])?;
    }
    let mut close = tx.prepare_cached(sql!("batch/close_hooks.sqlite").sqlite())?;
    for (run, position) in batch.closed_hooks.iter().filter(|(run, _)| !refused.contains(run)) {
        close.execute(params![run.as_bytes(), position])?;
    }
    let mut append = tx.prepare_cached(sql!("batch/chunks.sqlite").sqlite())?;
    for (run, it) in batch.chunks.iter().filter(|(run, _)| !refused.contains(run)) {
        let (body, bytes) = match &it.body {
            ChunkBody::Json(json) => (Some(json.as_str()), None),
            ChunkBody::Bytes(bytes) => (None, Some(&**bytes)),
            ChunkBody::Close => (None, None),
        };
        let (kind, at) = (it.body.kind(), micros(it.at));
        let NewChunk { stream, index, position, attempt, .. } = it;
        append.execute(params![run.as_bytes(), &**stream, index, position, attempt, kind, body, bytes, at])?;
    }
    Ok(())
}

/// What concerns people and hooks: hardly any batch has it, and others pay nothing for it.
fn write_requests(tx: &Transaction<'_>, batch: &Batch, refused: &HashSet<RunKey>) -> rusqlite::Result<()> {
    for ((run, position), request) in batch.requests.iter().filter(|((run, _), _)| !refused.contains(run)) {
        let schema = request.schema.as_ref().map(ToString::to_string);
        tx.prepare_cached(sql!("batch/request_people.sqlite").sqlite())?.execute(params![
            run.as_bytes(),
            position,
            request.title,
            schema
        ])?;
    }
    for (run, position) in batch.ended_hooks.iter().filter(|(run, _)| !refused.contains(run)) {
        tx.prepare_cached(sql!("batch/end_hooks.sqlite").sqlite())?.execute(params![run.as_bytes(), position])?;
    }
    Ok(())
}

fn put_payload(tx: &Transaction<'_>, run: RunKey, kind: &str, body: Option<&str>) -> rusqlite::Result<()> {
    if let Some(body) = body {
        tx.prepare_cached(sql!("runs/put_payload").sqlite())?.execute(params![run.as_bytes(), kind, body])?;
    }
    Ok(())
}

fn split(result: &Result<Json, Json>) -> (Option<&str>, Option<&str>) {
    match result {
        Ok(output) => (Some(output.as_str()), None),
        Err(error) => (None, Some(error.as_str())),
    }
}

fn long(payload: &Json) -> Option<&str> {
    Some(payload.as_str()).filter(|text| text.len() > INLINE_MAX)
}

fn as_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Keys as blobs of 16 bytes.
mod uuid_blob {
    use onward_types::RunKey;
    use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

    pub(super) struct Key(pub(super) RunKey);

    impl FromSql for Key {
        fn column_result(value: ValueRef<'_>) -> FromSqlResult<Key> {
            let bytes = value.as_blob()?;
            uuid::Uuid::from_slice(bytes)
                .map(|it| Key(RunKey(it)))
                .map_err(|error| FromSqlError::Other(Box::new(error)))
        }
    }
}

#[cfg(test)]
mod tests {
    use onward_types::{ExecutorId, Origin, RunId, Status, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::change::{Created, NewRun, Queued};

    fn run(number: u128, dedup: Option<&str>) -> NewRun {
        let dedup = dedup.map(str::to_owned);
        NewRun {
            key: RunKey(Uuid::from_u128(number)),
            id: RunId::recorded(number.to_string()),
            workflow: "ship".to_owned(),
            version: "1".to_owned(),
            is_open: false,
            executor: None,
            status: Status::Enqueued,
            ready_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            timeout: None,
            deadline: None,
            recoveries_max: Some(1),
            retry: None,
            on_parent_end: None,
            parent: None,
            origin: Origin::Started,
            input: Json::null(),
            input_hash: 0,
            identity: None,
            attributes: None,
            queued: Some(Queued { queue: "mail".to_owned(), priority: 0, partition: None, dedup }),
            must_be_new: false,
        }
    }

    fn batch(number: u64, runs: Vec<NewRun>) -> Batch {
        let creates = runs.into_iter().map(|run| Create { by: run.key, run: Box::new(run) }).collect();
        Batch { executor: Some(ExecutorId::new("a")), number, creates, ..Batch::default() }
    }

    /// For each run that was not created, by its key: why, and the key of the run that is in the way.
    fn in_the_way(committed: &Committed) -> Vec<(u128, &'static str, u128)> {
        let why = |(key, why): (&RunKey, &Created)| {
            let (what, run) = match why {
                Created::Existing(run) => ("id", run),
                Created::Duplicate(run) => ("dedup", run),
                Created::New | Created::Waiting(_) => unreachable!("it was created"),
            };
            (key.0.as_u128(), what, run.key.0.as_u128())
        };
        let mut all: Vec<_> = committed.not_created.iter().map(why).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn what_came_of_creates_is_the_same_when_it_is_looked_up_after_a_lost_answer() {
        let mut connection = crate::driver::sqlite::migrated();
        connection.execute("insert into fences (executor, shard, batch) values ('a', 0, 0)", []).unwrap();
        let again = NewRun { key: RunKey(Uuid::from_u128(4)), ..run(1, None) };
        let batch = batch(1, vec![run(1, Some("ada")), run(2, Some("ada")), run(3, Some("grace")), again]);
        let expected = [(2, "dedup", 1), (4, "id", 1)];
        assert_eq!(in_the_way(&write(&mut connection, &batch).unwrap()), expected);
        assert_eq!(in_the_way(&look(&mut connection, &batch).unwrap().unwrap()), expected);
        // The holder has ended since, but it held the dedup key when the run was to be created.
        connection.execute("update runs set status = 'cancelled', finished_at = 1 where id = '1'", []).unwrap();
        assert_eq!(in_the_way(&look(&mut connection, &batch).unwrap().unwrap()), expected);
    }
}
