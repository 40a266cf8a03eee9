//! A batch as arrays: one per column, in the order of each statement's parameters. None where a kind is empty.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error as StdError;

use bytes::BytesMut;
use onward_types::{ChunkBody, ExecutorId, Json, RunKey, micros};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::pipeline::Args;
use crate::change::{INLINE_MAX, LeaveHow};
use crate::clock::timeout_micros;
use crate::journal::{Batch, Update};

type Column<'a> = Box<dyn ToSql + Send + Sync + 'a>;

fn column<'a, R, T: ToSql + Send + Sync + 'a>(rows: impl IntoIterator<Item = R>, of: impl Fn(R) -> T) -> Column<'a> {
    Box::new(rows.into_iter().map(of).collect::<Vec<T>>())
}

/// A column of values that may be long: a message that grows while it is written is copied again and again, and ends up with twice
/// the room that it needs.
#[derive(Debug)]
struct Long<T>(Vec<T>);

fn long_column<'a, R, T: ToSql + AsRef<[u8]> + Send + Sync + 'a>(
    rows: impl IntoIterator<Item = R>,
    of: impl Fn(R) -> Option<T>,
) -> Column<'a> {
    Box::new(Long(rows.into_iter().map(of).collect::<Vec<Option<T>>>()))
}

impl<T: ToSql + AsRef<[u8]>> ToSql for Long<Option<T>> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let bytes: usize = self.0.iter().flatten().map(|value| value.as_ref().len()).sum();
        // Each has its length before it, and the array its size.
        out.reserve(bytes + 4 * self.0.len() + 64);
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <Vec<Option<T>> as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

fn executor(batch: &Batch) -> &str {
    batch.executor.as_ref().map_or("", ExecutorId::as_str)
}

pub(super) fn fence(batch: &Batch) -> Args<'_> {
    vec![Box::new(executor(batch)), Box::new(as_int(batch.number))]
}

/// The runs whose changes are refused if they were taken from their owner. One that lets go was taken, and its letting go is
/// what its owner still may write.
pub(super) fn refusable(batch: &Batch) -> Args<'_> {
    let lets_go = batch.updates.iter().filter(|update| matches!(update.leave.how, LeaveHow::LetGo));
    let lets_go: HashSet<RunKey> = lets_go.map(|update| update.run).collect();
    let others: Vec<Uuid> = batch.owned.iter().filter(|run| !lets_go.contains(run)).map(|run| run.0).collect();
    vec![Box::new(executor(batch)), Box::new(others)]
}

/// The runs that are for no queue.
pub(super) fn creates(batch: &Batch) -> Option<Args<'_>> {
    new_runs(batch, false)
}

/// The runs that are for queues, and those queues that may let one begin at once.
pub(super) fn creates_queued(batch: &Batch) -> Option<Args<'_>> {
    let mut args = new_runs(batch, true)?;
    let queued = || batch.creates.iter().filter_map(|it| it.run.queued.as_ref().map(|queued| (&it.run, queued)));
    args.push(column(queued(), |(_, it)| it.queue.as_str()));
    args.push(column(queued(), |(_, it)| i64::from(it.priority)));
    args.push(column(queued(), |(_, it)| it.partition.as_deref()));
    args.push(column(queued(), |(run, _)| run.is_open));
    let asked = queued().filter(|(run, _)| run.executor.is_some()).map(|(_, it)| it.queue.as_str());
    args.push(Box::new(asked.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()));
    Some(args)
}

/// The runs whose makers go on without waiting for the answer.
pub(super) fn must_be_new(batch: &Batch) -> Option<Args<'_>> {
    let rows = || batch.creates.iter().filter(|it| it.run.must_be_new);
    rows().next()?;
    Some(vec![column(rows(), |it| it.by.0), column(rows(), |it| it.run.key.0)])
}

fn new_runs(batch: &Batch, queued: bool) -> Option<Args<'_>> {
    let rows = || batch.creates.iter().filter(move |it| it.run.queued.is_some() == queued);
    rows().next()?;
    Some(vec![
        column(rows(), |it| it.by.0),
        column(rows(), |it| it.run.key.0),
        column(rows(), |it| it.run.id.as_str()),
        column(rows(), |it| it.run.workflow.as_str()),
        column(rows(), |it| it.run.version.as_str()),
        column(rows(), |it| it.run.status.as_str()),
        column(rows(), |it| it.run.executor.as_ref().map(ExecutorId::as_str)),
        column(rows(), |it| it.run.ready_at.map(micros)),
        column(rows(), |it| i64::from(it.run.recoveries_max)),
        column(rows(), |it| it.run.parent.map(|(key, _)| key.0)),
        column(rows(), |it| it.run.parent.map(|(_, position)| i64::from(position))),
        column(rows(), |it| micros(it.run.created_at)),
        column(rows(), |it| it.run.timeout.map(timeout_micros)),
        column(rows(), |it| it.run.deadline.map(micros)),
        column(rows(), |it| it.run.input_hash),
        column(rows(), |it| it.run.identity.as_ref().and_then(|it| serde_json::to_string(it).ok())),
        column(rows(), |it| it.run.attributes.as_ref().map(Json::as_str)),
        column(rows(), |it| short(Some(&it.run.input))),
    ])
}

pub(super) fn checkpoints(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.checkpoints)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| i64::from(it.position)),
        column(rows, |(_, it)| as_int(it.seq)),
        column(rows, |(_, it)| it.kind.as_str()),
        column(rows, |(_, it)| &*it.name),
        long_column(rows, |(_, it)| it.result.as_ref().ok().map(Json::as_str)),
        long_column(rows, |(_, it)| it.result.as_ref().err().map(Json::as_str)),
        column(rows, |(_, it)| micros(it.started_at)),
        column(rows, |(_, it)| micros(it.finished_at)),
    ])
}

pub(super) fn attempts(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.attempts)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| i64::from(it.position)),
        column(rows, |(_, it)| i64::from(it.attempt)),
        column(rows, |(_, it)| &*it.name),
        column(rows, |(_, it)| micros(it.started_at)),
        column(rows, |(_, it)| it.finished_at.map(micros)),
        column(rows, |(_, it)| it.error.as_ref().map(Json::as_str)),
    ])
}

pub(super) fn consume(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.consumed)?;
    Some(vec![
        column(rows, |(run, ..)| run.0),
        column(rows, |(_, seq, _)| *seq),
        column(rows, |(.., position)| i64::from(*position)),
    ])
}

pub(super) fn refuse(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.refusals)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| it.seq),
        column(rows, |(_, it)| it.said.as_str()),
        column(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn events(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.events)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| &*it.key),
        long_column(rows, |(_, it)| Some(it.value.as_str())),
        column(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn event_history(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.event_history)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| i64::from(it.position)),
        column(rows, |(_, it)| &*it.key),
        long_column(rows, |(_, it)| Some(it.value.as_str())),
        column(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn chunks(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.chunks)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| &*it.stream),
        column(rows, |(_, it)| it.index),
        column(rows, |(_, it)| i64::from(it.position)),
        column(rows, |(_, it)| i64::from(it.attempt)),
        column(rows, |(_, it)| it.body.kind()),
        long_column(rows, |(_, it)| if let ChunkBody::Json(json) = &it.body { Some(json.as_str()) } else { None }),
        long_column(rows, |(_, it)| if let ChunkBody::Bytes(bytes) = &it.body { Some(&**bytes) } else { None }),
        column(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn open_waits(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.opened)?;
    Some(vec![
        column(rows, |(run, _)| run.0),
        column(rows, |(_, it)| i64::from(it.position)),
        column(rows, |(_, it)| it.wait.as_str()),
        column(rows, |(_, it)| &*it.name),
        column(rows, |(_, it)| it.wait.due_at().map(micros)),
        column(rows, |(_, it)| it.wait.child().map(|child| child.0)),
        column(rows, |(_, it)| it.wait.topic()),
        column(rows, |(_, it)| it.wait.target()),
        column(rows, |(_, it)| micros(it.since)),
        column(rows, |(_, it)| it.wait.form()),
        Box::new(executor(batch)),
    ])
}

pub(super) fn close_hooks(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.closed_hooks)?;
    Some(vec![column(rows, |(run, _)| run.0), column(rows, |(_, position)| i64::from(*position))])
}

pub(super) fn close_waits(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.closed)?;
    Some(vec![column(rows, |(run, _)| run.0), column(rows, |(_, position)| i64::from(*position))])
}

pub(super) fn leaves(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.updates)?;
    let how = |it: &Update| match it.leave.how {
        LeaveHow::Finished(_) => "finished",
        // To be released is to be parked for no time at all.
        LeaveHow::Parked { .. } | LeaveHow::Released => "parked",
        LeaveHow::Held { .. } => "held",
        LeaveHow::LetGo => "let_go",
    };
    let status = |it: &Update| match &it.leave.how {
        LeaveHow::Finished(Ok(_)) => Some("succeeded"),
        LeaveHow::Finished(Err(_)) => Some("failed"),
        LeaveHow::Held { .. } => Some("paused"),
        LeaveHow::Parked { .. } | LeaveHow::Released | LeaveHow::LetGo => None,
    };
    let ready_at = |it: &Update| match it.leave.how {
        LeaveHow::Parked { ready_at } => ready_at.map(micros),
        LeaveHow::Released => Some(micros(it.leave.at)),
        LeaveHow::Finished(_) | LeaveHow::Held { .. } | LeaveHow::LetGo => None,
    };
    Some(vec![
        Box::new(executor(batch)),
        column(rows, |it| it.run.0),
        column(rows, how),
        column(rows, |it| micros(it.leave.at)),
        column(rows, status),
        column(rows, ready_at),
        column(rows, |it| if let LeaveHow::Held { said, .. } = &it.leave.how { Some(said.as_str()) } else { None }),
        column(rows, |it| short(output(it))),
        column(rows, |it| match &it.leave.how {
            // What holds a run stands in its row, however long it is.
            LeaveHow::Held { error, .. } => Some(error.as_str()),
            _ => short(error(it)),
        }),
    ])
}

/// Inputs, outputs and errors that are too long for a run's row.
pub(super) fn payloads(batch: &Batch) -> Option<Args<'_>> {
    let inputs = batch.creates.iter().filter_map(|it| Some((it.run.key.0, "input", long(Some(&it.run.input))?)));
    let outputs = batch.updates.iter().filter_map(|it| Some((it.run.0, "output", long(output(it))?)));
    let errors = batch.updates.iter().filter_map(|it| Some((it.run.0, "error", long(error(it))?)));
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (run, kind, body) in inputs.chain(outputs).chain(errors) {
        columns.0.push(run);
        columns.1.push(kind);
        columns.2.push(Some(body));
    }
    (!columns.0.is_empty())
        .then(|| vec![Box::new(columns.0) as Column<'_>, Box::new(columns.1), Box::new(Long(columns.2))])
}

/// Parked runs to look at: the parents of runs that ended, and runs that were parked just now.
pub(super) fn wakes(batch: &Batch) -> Option<Args<'_>> {
    let mut wakes = BTreeMap::new();
    for Update { run, leave } in &batch.updates {
        match (&leave.how, leave.parent) {
            (LeaveHow::Finished(_), Some(parent)) => drop(wakes.insert(parent.0, (micros(leave.at), false))),
            (LeaveHow::Parked { .. }, _) => drop(wakes.entry(run.0).or_insert((micros(leave.at), true))),
            _ => {}
        }
    }
    let wakes = some(wakes.into_iter().collect::<Vec<_>>())?;
    let (runs, rest): (Vec<Uuid>, Vec<(i64, bool)>) = wakes.into_iter().unzip();
    let (at, if_done): (Vec<i64>, Vec<bool>) = rest.into_iter().unzip();
    Some(vec![Box::new(runs), Box::new(at), Box::new(if_done)])
}

/// Events that were set: whoever is parked and waits for one of them is woken.
pub(super) fn wake_watchers(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.events)?;
    Some(vec![column(rows, |(run, _)| run.0), column(rows, |(_, it)| &*it.key), column(rows, |(_, it)| micros(it.at))])
}

fn some<T, R: AsRef<[T]>>(rows: R) -> Option<R> {
    (!rows.as_ref().is_empty()).then_some(rows)
}

fn output(update: &Update) -> Option<&Json> {
    if let LeaveHow::Finished(Ok(output)) = &update.leave.how { Some(output) } else { None }
}

fn error(update: &Update) -> Option<&Json> {
    if let LeaveHow::Finished(Err(error)) = &update.leave.how { Some(error) } else { None }
}

fn short(payload: Option<&Json>) -> Option<&str> {
    payload.map(Json::as_str).filter(|text| text.len() <= INLINE_MAX)
}

fn long(payload: Option<&Json>) -> Option<&str> {
    payload.map(Json::as_str).filter(|text| text.len() > INLINE_MAX)
}

fn as_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
