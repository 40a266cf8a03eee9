//! A batch as arrays: one per column, in the order of each statement's parameters. None where a kind is empty.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error as StdError;

use bytes::BytesMut;
use onward_types::{ChunkBody, ExecutorId, Json, RunKey, micros};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::pipeline::Args;
use crate::change::{INLINE_MAX, LeaveHow, NewRun, NextAttempt, error_code};
use crate::journal::{Batch, Create, Update};
use crate::new_run::{Born, Column, Kind, NEW_RUN, Of, Value};

type Array<'a> = Box<dyn ToSql + Send + Sync + 'a>;

fn array<'a, R, T: ToSql + Send + Sync + 'a>(rows: impl IntoIterator<Item = R>, of: impl Fn(R) -> T) -> Array<'a> {
    Box::new(rows.into_iter().map(of).collect::<Vec<T>>())
}

/// A column of values that may be missing. If all are, which many columns are in most batches, it is no array but a null, which
/// costs nothing to send and to read: beside other columns, `unnest` gives nulls for it.
fn optional<'a, R, T: ToSql + Send + Sync + 'a>(
    rows: impl IntoIterator<Item = R>,
    of: impl Fn(R) -> Option<T>,
) -> Array<'a> {
    let column: Vec<Option<T>> = rows.into_iter().map(of).collect();
    Box::new(column.iter().any(Option::is_some).then_some(column))
}

/// A column of values that may be long: a message that grows while it is written is copied again and again, and ends up with twice
/// the room that it needs.
#[derive(Debug)]
struct Long<T>(Vec<T>);

fn long_array<'a, R, T: ToSql + AsRef<[u8]> + Send + Sync + 'a>(
    rows: impl IntoIterator<Item = R>,
    of: impl Fn(R) -> Option<T>,
) -> Array<'a> {
    let column: Vec<Option<T>> = rows.into_iter().map(of).collect();
    Box::new(column.iter().any(Option::is_some).then_some(Long(column)))
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

/// The runs that are for no queue: those that have an executor begin.
pub(super) fn creates(batch: &Batch) -> Option<Args<'_>> {
    new_runs(batch, &[Of::Run], |column, run| column.stored(&Born::of(run)))
}

/// The runs that are for queues, and those queues that may let one begin at once.
pub(super) fn creates_queued(batch: &Batch) -> Option<Args<'_>> {
    let mut args = new_runs(batch, &[Of::Run, Of::Queue], Column::given)?;
    let queued = || batch.creates.iter().filter_map(|it| it.run.queued.as_ref().map(|queued| (&it.run, queued)));
    args.push(array(queued(), |(run, _)| run.is_open));
    let asked = queued().filter(|(run, _)| run.executor.is_some()).map(|(_, it)| it.queue.as_str());
    args.push(Box::new(asked.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()));
    Some(args)
}

/// The runs whose makers go on without waiting for the answer.
pub(super) fn must_be_new(batch: &Batch) -> Option<Args<'_>> {
    let rows = || batch.creates.iter().filter(|it| it.run.must_be_new);
    rows().next()?;
    Some(vec![array(rows(), |it| it.by.0), array(rows(), |it| it.run.key.0)])
}

/// Runs that are for a queue, or those that are for none, by the columns of the catalogue.
fn new_runs<'a>(batch: &'a Batch, of: &[Of], value: impl Fn(&Column, &'a NewRun) -> Value<'a>) -> Option<Args<'a>> {
    let queued = of.contains(&Of::Queue);
    let rows: Vec<&Create> = batch.creates.iter().filter(|it| it.run.queued.is_some() == queued).collect();
    let mut args = vec![array(some(&rows)?, |it| it.by.0)];
    for column in NEW_RUN.iter().filter(|column| of.contains(&column.of)) {
        let values = rows.iter().map(|it| value(column, &it.run));
        args.push(match column.kind {
            Kind::Key => optional(values, |it| if let Value::Key(key) = it { Some(key.0) } else { None }),
            Kind::Int => optional(values, |it| if let Value::Int(int) = it { Some(int) } else { None }),
            Kind::Text => optional(values, |it| if let Value::Text(text) = it { Some(text) } else { None }),
        });
    }
    Some(args)
}

pub(super) fn checkpoints(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.checkpoints)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| i64::from(it.position)),
        array(rows, |(_, it)| as_int(it.seq)),
        array(rows, |(_, it)| it.kind.as_str()),
        array(rows, |(_, it)| &*it.name),
        long_array(rows, |(_, it)| it.result.as_ref().ok().map(Json::as_str)),
        long_array(rows, |(_, it)| it.result.as_ref().err().map(Json::as_str)),
        array(rows, |(_, it)| micros(it.started_at)),
        array(rows, |(_, it)| micros(it.finished_at)),
        optional(rows, |(_, it)| it.notes.as_ref().map(Json::as_str)),
    ])
}

pub(super) fn attempts(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.attempts)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| i64::from(it.position)),
        array(rows, |(_, it)| i64::from(it.attempt)),
        array(rows, |(_, it)| &*it.name),
        array(rows, |(_, it)| micros(it.started_at)),
        optional(rows, |(_, it)| it.finished_at.map(micros)),
        optional(rows, |(_, it)| it.error.as_ref().map(Json::as_str)),
        optional(rows, |(_, it)| it.notes.as_ref().map(Json::as_str)),
        optional(rows, |(_, it)| (it.failures > 0).then_some(i64::from(it.failures))),
        optional(rows, |(_, it)| it.retry_at.map(micros)),
        optional(rows, |(_, it)| it.heartbeat.as_ref().map(|heartbeat| micros(heartbeat.at))),
        optional(rows, |(_, it)| it.heartbeat.as_ref().map(|heartbeat| heartbeat.progress.as_str())),
    ])
}

pub(super) fn drop_attempts(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.dropped_attempts)?;
    Some(vec![
        array(rows, |(run, ..)| run.0),
        array(rows, |(_, position, _)| i64::from(*position)),
        array(rows, |(.., attempt)| i64::from(*attempt)),
    ])
}

pub(super) fn consume(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.consumed)?;
    Some(vec![
        array(rows, |(run, ..)| run.0),
        array(rows, |(_, seq, _)| *seq),
        array(rows, |(.., position)| i64::from(*position)),
    ])
}

pub(super) fn refuse(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.refusals)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| it.seq),
        array(rows, |(_, it)| it.said.as_str()),
        array(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn events(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.events)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| &*it.key),
        long_array(rows, |(_, it)| Some(it.value.as_str())),
        array(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn event_history(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.event_history)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| i64::from(it.position)),
        array(rows, |(_, it)| &*it.key),
        long_array(rows, |(_, it)| Some(it.value.as_str())),
        array(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn chunks(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.chunks)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| &*it.stream),
        array(rows, |(_, it)| it.index),
        array(rows, |(_, it)| i64::from(it.position)),
        array(rows, |(_, it)| i64::from(it.attempt)),
        array(rows, |(_, it)| it.body.kind()),
        long_array(rows, |(_, it)| if let ChunkBody::Json(json) = &it.body { Some(json.as_str()) } else { None }),
        long_array(rows, |(_, it)| if let ChunkBody::Bytes(bytes) = &it.body { Some(&**bytes) } else { None }),
        array(rows, |(_, it)| micros(it.at)),
    ])
}

pub(super) fn open_waits(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.opened)?;
    Some(vec![
        array(rows, |(run, _)| run.0),
        array(rows, |(_, it)| i64::from(it.position)),
        array(rows, |(_, it)| it.wait.as_str()),
        array(rows, |(_, it)| &*it.name),
        optional(rows, |(_, it)| it.wait.due_at().map(micros)),
        optional(rows, |(_, it)| it.wait.child().map(|child| child.0)),
        optional(rows, |(_, it)| it.wait.topic()),
        optional(rows, |(_, it)| it.wait.target()),
        array(rows, |(_, it)| micros(it.since)),
        optional(rows, |(_, it)| it.wait.form()),
        Box::new(executor(batch)),
    ])
}

pub(super) fn close_hooks(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.closed_hooks)?;
    Some(vec![array(rows, |(run, _)| run.0), array(rows, |(_, position)| i64::from(*position))])
}

pub(super) fn end_hooks(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.ended_hooks)?;
    Some(vec![array(rows, |(run, _)| run.0), array(rows, |(_, position)| i64::from(*position))])
}

pub(super) fn request_people(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.requests)?;
    Some(vec![
        array(rows, |((run, _), _)| run.0),
        array(rows, |((_, position), _)| i64::from(*position)),
        array(rows, |(_, request)| request.title.as_str()),
        optional(rows, |(_, request)| request.schema.as_ref().map(ToString::to_string)),
    ])
}

pub(super) fn close_waits(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.closed)?;
    Some(vec![array(rows, |(run, _)| run.0), array(rows, |(_, position)| i64::from(*position))])
}

pub(super) fn leaves(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.updates)?;
    let how = |it: &Update| match it.leave.how {
        LeaveHow::Finished(_) => "finished",
        // To be released is to be parked for no time at all.
        LeaveHow::Parked { .. } | LeaveHow::Released | LeaveHow::Continued { .. } | LeaveHow::Retried(_) => "parked",
        LeaveHow::Held { .. } => "held",
        LeaveHow::LetGo => "let_go",
    };
    let status = |it: &Update| match &it.leave.how {
        LeaveHow::Finished(Ok(_)) => Some("succeeded"),
        LeaveHow::Finished(Err(_)) => Some("failed"),
        LeaveHow::Held { .. } => Some("paused"),
        LeaveHow::Parked { .. }
        | LeaveHow::Released
        | LeaveHow::Continued { .. }
        | LeaveHow::Retried(_)
        | LeaveHow::LetGo => None,
    };
    let ready_at = |it: &Update| match &it.leave.how {
        LeaveHow::Parked { ready_at } => ready_at.map(micros),
        LeaveHow::Retried(next) => Some(micros(next.ready_at)),
        LeaveHow::Released | LeaveHow::Continued { .. } => Some(micros(it.leave.at)),
        LeaveHow::Finished(_) | LeaveHow::Held { .. } | LeaveHow::LetGo => None,
    };
    Some(vec![
        Box::new(executor(batch)),
        array(rows, |it| it.run.0),
        array(rows, how),
        array(rows, |it| micros(it.leave.at)),
        optional(rows, status),
        optional(rows, ready_at),
        optional(rows, |it| if let LeaveHow::Held { said, .. } = &it.leave.how { Some(said.as_str()) } else { None }),
        optional(rows, |it| short(output(it))),
        optional(rows, |it| match &it.leave.how {
            // What holds a run stands in its row, however long it is.
            LeaveHow::Held { error, .. } => Some(error.as_str()),
            _ => short(error(it)),
        }),
        optional(rows, |it| error_code(&it.leave.how)),
    ])
}

/// The acts that hold runs, for their histories.
pub(super) fn holds(batch: &Batch) -> Option<Args<'_>> {
    let held = batch.updates.iter().filter_map(|it| Some((it.run, it.leave.at, it.leave.hold()?)));
    let rows = some(held.collect::<Vec<_>>())?;
    Some(vec![
        Box::new(rows.iter().map(|(run, ..)| run.0).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, at, _)| micros(*at)).collect::<Vec<_>>()),
        Box::new(rows.into_iter().map(|(.., hold)| hold).collect::<Vec<_>>()),
    ])
}

/// The waits of calls with which runs paused themselves.
pub(super) fn pauses(batch: &Batch) -> Option<Args<'_>> {
    let paused = batch.updates.iter().filter_map(|it| match &it.leave.how {
        LeaveHow::Held { by: Some(wait), .. } => Some((it.run, &**wait)),
        _ => None,
    });
    let rows = some(paused.collect::<Vec<_>>())?;
    Some(vec![
        Box::new(rows.iter().map(|(run, _)| run.0).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, it)| i64::from(it.position)).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, it)| it.wait.as_str()).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, it)| &*it.name).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, it)| micros(it.since)).collect::<Vec<_>>()),
    ])
}

/// Runs whose next generation begins: with another input, or as the next attempt.
pub(super) fn continues(batch: &Batch) -> Option<Args<'_>> {
    let continued = batch.updates.iter().filter_map(|it| match &it.leave.how {
        LeaveHow::Continued { input, first_position } => Some((it, *first_position, Some(input), None)),
        LeaveHow::Retried(next) => Some((it, next.first_position, None, Some(&**next))),
        _ => None,
    });
    let rows = some(continued.collect::<Vec<_>>())?;
    let error = crate::change::continued_without();
    Some(vec![
        Box::new(rows.iter().map(|(it, ..)| it.run.0).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(it, ..)| micros(it.leave.at)).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, first, ..)| i64::from(*first)).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(_, _, input, _)| short(*input)).collect::<Vec<_>>()),
        Box::new(Long(rows.iter().map(|(_, _, input, _)| long(*input)).collect::<Vec<_>>())),
        Box::new(error.as_str().to_owned()),
        Box::new(rows.iter().map(|(.., next)| next.map(NextAttempt::written)).collect::<Vec<_>>()),
        Box::new(rows.iter().map(|(.., next)| Some(i64::from((*next)?.failed_from))).collect::<Vec<_>>()),
    ])
}

/// Runs that ended so long ago that they may have to be counted.
pub(super) fn late(batch: &Batch) -> Option<Args<'_>> {
    Some(vec![array(batch.late()?, |run| run.0)])
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
        .then(|| vec![Box::new(columns.0) as Array<'_>, Box::new(columns.1), Box::new(Long(columns.2))])
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

/// Events that were set: parked runs that wait for one of them are woken.
pub(super) fn wake_watchers(batch: &Batch) -> Option<Args<'_>> {
    let rows = some(&batch.events)?;
    Some(vec![array(rows, |(run, _)| run.0), array(rows, |(_, it)| &*it.key), array(rows, |(_, it)| micros(it.at))])
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
