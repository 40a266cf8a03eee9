//! How a batch is written to PostgreSQL: one statement per kind over arrays, all of them in one pipeline between `begin` and
//! `commit`, in the order of [`Batch`]'s fields.

use std::collections::{BTreeSet, HashMap, HashSet};

use onward_types::{RunId, RunKey};
use tokio_postgres::Statement;
use uuid::Uuid;

use super::Told;
use super::columns::{
    attempts, checkpoints, chunks, close_hooks, close_waits, consume, continues, creates, creates_queued,
    drop_attempts, end_hooks, event_history, events, fence, holds, late, leaves, must_be_new, open_waits, pauses,
    payloads, refusable, refuse, request_people, wake_watchers, wakes,
};
use super::connect::Session;
use super::pipeline::{Answers, Args, Pipeline};
use super::row;
use crate::change::{Created, Existing, LeaveHow, NewRun};
use crate::driver::Row;
use crate::fault::Fault;
use crate::journal::{Batch, Committed, Update};
use crate::signal::Signal;

/// The statements of a batch, each prepared once for a session.
macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        pub(super) struct Statements { $(pub(super) $name: Statement,)* }

        impl Statements {
            pub(super) async fn prepare(session: &Session) -> Result<Statements, tokio_postgres::Error> {
                // Boxed: all of them together would take much of the stack of a thread.
                let ($($name,)*) = tokio::try_join!($(Box::pin(session.prepare(include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/sql/batch/", stringify!($name), ".postgres.sql"
                )))),)*)?;
                Ok(Statements { $($name,)* })
            }
        }
    };
}

statements!(
    fence,
    refused,
    creates,
    creates_queued,
    conflicts,
    existing,
    holders,
    checkpoints,
    attempts,
    drop_attempts,
    consume,
    refuse,
    events,
    event_history,
    chunks,
    close_hooks,
    end_hooks,
    request_people,
    open_waits,
    close_waits,
    leaves,
    late,
    holds,
    pauses,
    continues,
    payloads,
    wakes,
    wake_watchers,
    take_fence,
);

/// Write the batch and commit it, and tell everybody of it.
pub(super) async fn write(
    session: &Session,
    statements: &Statements,
    batch: &Batch,
    told: &Told,
) -> Result<Committed, Fault> {
    crate::crash::point("batch.begun");
    let mut pipeline = Pipeline::new(session);
    pipeline.command("begin");
    pipeline.add("batch/fence", &statements.fence, fence(batch));
    pipeline.add("batch/refused", &statements.refused, refusable(batch));
    add_rows(&mut pipeline, statements, batch);
    // A process can die between the last statement and the commit only if it waits there, which costs a round trip.
    if crate::crash::is_armed("batch.written") {
        pipeline.settle().await;
        crate::crash::point("batch.written");
    }
    let answers = pipeline.commit().await?;
    let woke = !answers.rows("batch/wakes").is_empty() || !answers.rows("batch/wake_watchers").is_empty();
    let mut committed = Committed { refused: refused(&answers)?, ..Committed::default() };
    for stayed in answers.rows("batch/leaves") {
        let Some(run) = row::key(stayed, "run_key")? else { continue };
        let why = if row::flag(stayed, "busy")? == Some(true) { &mut committed.busy } else { &mut committed.late };
        why.insert(run);
    }
    let queued = answers.rows("batch/creates_queued");
    for created in queued {
        if row::flag(created, "waits")? == Some(true) {
            committed.waiting.extend(row::key(created, "run_key")?);
        }
    }
    tell(told, batch, &committed, woke);
    if answers.rows("batch/creates").len() + queued.len() < batch.creates.len() {
        committed.not_created = not_created(session, statements, batch, &committed).await?;
    }
    Ok(committed)
}

fn add_rows<'a>(pipeline: &mut Pipeline<'a>, statements: &'a Statements, batch: &'a Batch) {
    let mut add = |name, statement, args: Option<Args<'a>>| {
        if let Some(args) = args {
            pipeline.add(name, statement, args);
        }
    };
    add("batch/creates", &statements.creates, creates(batch));
    add("batch/creates_queued", &statements.creates_queued, creates_queued(batch));
    add("batch/conflicts", &statements.conflicts, must_be_new(batch));
    add("batch/checkpoints", &statements.checkpoints, checkpoints(batch));
    add("batch/attempts", &statements.attempts, attempts(batch));
    add("batch/drop_attempts", &statements.drop_attempts, drop_attempts(batch));
    add("batch/consume", &statements.consume, consume(batch));
    add("batch/refuse", &statements.refuse, refuse(batch));
    add("batch/events", &statements.events, events(batch));
    add("batch/event_history", &statements.event_history, event_history(batch));
    add("batch/chunks", &statements.chunks, chunks(batch));
    add("batch/close_hooks", &statements.close_hooks, close_hooks(batch));
    add("batch/end_hooks", &statements.end_hooks, end_hooks(batch));
    add("batch/request_people", &statements.request_people, request_people(batch));
    add("batch/close_waits", &statements.close_waits, close_waits(batch));
    add("batch/open_waits", &statements.open_waits, open_waits(batch));
    add("batch/leaves", &statements.leaves, leaves(batch));
    add("batch/late", &statements.late, late(batch));
    add("batch/holds", &statements.holds, holds(batch));
    add("batch/pauses", &statements.pauses, pauses(batch));
    add("batch/continues", &statements.continues, continues(batch));
    add("batch/payloads", &statements.payloads, payloads(batch));
    add("batch/wakes", &statements.wakes, wakes(batch));
    add("batch/wake_watchers", &statements.wake_watchers, wake_watchers(batch));
}

/// What became of a batch that was committed, for a session that lost the answer. `busy` was noted beside the fence.
pub(super) async fn look(
    session: &Session,
    statements: &Statements,
    batch: &Batch,
    busy: HashSet<RunKey>,
    told: &Told,
) -> Result<Committed, Fault> {
    let mut pipeline = Pipeline::new(session);
    pipeline.add("batch/refused", &statements.refused, refusable(batch));
    let refused = refused(&pipeline.answers().await?)?;
    // The batch was committed: a run that is revoked now was revoked after it, or has no changes in it.
    let mut committed = Committed { late: refused, busy, waiting: batch.for_queues(), ..Committed::default() };
    tell(told, batch, &committed, true);
    committed.not_created = not_created(session, statements, batch, &committed).await?;
    Ok(committed)
}

fn refused(answers: &Answers) -> Result<HashSet<RunKey>, Fault> {
    let refused = answers.rows("batch/refused").first().map(|found| row::keys(found, "run_keys")).transpose()?;
    Ok(refused.unwrap_or_default().into_iter().collect())
}

/// The runs that were not created, and why. Read after the commit, because there are hardly ever any.
async fn not_created(
    session: &Session,
    statements: &Statements,
    batch: &Batch,
    committed: &Committed,
) -> Result<HashMap<RunKey, Created>, Fault> {
    let wanted = batch.creates.iter().filter(|create| !committed.refused.contains(&create.by));
    let wanted: Vec<&NewRun> = wanted.map(|create| &*create.run).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<&str> = wanted.iter().map(|run| run.id.as_str()).collect();
    let mut pipeline = Pipeline::new(session);
    pipeline.add("batch/existing", &statements.existing, vec![Box::new(ids)]);
    let mut found = HashMap::new();
    for run in pipeline.answers().await?.take("batch/existing") {
        let run = Row::Postgres(run).existing()?;
        found.insert(run.id.clone(), run);
    }
    let (there, missing): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|run| found.contains_key(&run.id));
    let mut not_created = duplicates(session, statements, &missing).await?;
    for run in there {
        if let Some(existing) = found.get(&run.id).filter(|existing| existing.key != run.key) {
            not_created.insert(run.key, Created::Existing(existing.clone()));
        }
    }
    for run in missing {
        // The run with that id has been deleted since. It existed when this one was to be created.
        not_created.entry(run.key).or_insert_with(|| Created::Existing(deleted(run.id.clone())));
    }
    Ok(not_created)
}

/// Of these runs, none of which exists, those with a dedup key: another run held it when they were to be created.
async fn duplicates(
    session: &Session,
    statements: &Statements,
    missing: &[&NewRun],
) -> Result<HashMap<RunKey, Created>, Fault> {
    let dedup = |run: &&NewRun| {
        let queued = run.queued.as_ref()?;
        Some((run.key, queued.queue.clone(), queued.dedup.clone()?))
    };
    let held: Vec<(RunKey, String, String)> = missing.iter().filter_map(dedup).collect();
    if held.is_empty() {
        return Ok(HashMap::new());
    }
    let queues: Vec<&str> = held.iter().map(|(_, queue, _)| queue.as_str()).collect();
    let dedups: Vec<&str> = held.iter().map(|(.., dedup)| dedup.as_str()).collect();
    let mut pipeline = Pipeline::new(session);
    pipeline.add("batch/holders", &statements.holders, vec![Box::new(queues), Box::new(dedups)]);
    let gone = || deleted(RunId::of_key(RunKey(Uuid::nil())));
    let mut holders: HashMap<RunKey, Created> =
        held.iter().map(|(key, ..)| (*key, Created::Duplicate(gone()))).collect();
    for row in pipeline.answers().await?.take("batch/holders") {
        let row = Row::Postgres(row);
        let at = usize::try_from(row.int("place")? - 1).ok().and_then(|at| held.get(at));
        let (key, ..) = at.ok_or_else(|| Fault::corrupt("a holder of a dedup that nobody looked for"))?;
        holders.insert(*key, Created::Duplicate(row.existing()?));
    }
    Ok(holders)
}

fn deleted(id: RunId) -> Existing {
    let key = RunKey(Uuid::nil());
    Existing { key, id, workflow: "(deleted since)".to_owned(), input_hash: 0, parent: None }
}

/// Signal a committed batch to this process and to others. `woke`: it woke parked runs.
fn tell(told: &Told, batch: &Batch, committed: &Committed, woke: bool) {
    let signals = signals(batch, committed, woke, told.listeners.are_there());
    if !signals.is_empty() {
        told.notifier.tell(signals);
    }
}

/// The signals of a batch: that runs may be claimed and, if another process listens for it, that runs ended or published
/// something.
fn signals(batch: &Batch, committed: &Committed, woke: bool, listened: bool) -> Vec<Signal> {
    let is_free = |update: &Update| matches!(update.leave.how, LeaveHow::Released | LeaveHow::LetGo);
    let created = || batch.creates.iter().map(|create| &*create.run);
    // A run that an executor created could have begun there, so nobody else knows of it.
    let waits =
        |run: &&NewRun| run.is_claimable_in_queue() || (run.executor.is_some() && committed.waiting.contains(&run.key));
    let ready = woke || created().any(NewRun::is_for_claimers) || batch.updates.iter().any(is_free);
    let made = created().filter(waits).filter_map(|run| run.queued.as_ref()).map(|it| it.queue.as_str());
    let freed = batch.updates.iter().filter_map(|update| update.leave.slot.as_deref());
    let queues: BTreeSet<&str> = made.chain(freed).collect();
    let mut signals = Vec::new();
    if ready {
        signals.push(Signal::Ready);
    }
    signals.extend(queues.into_iter().map(|queue| Signal::Queued(queue.to_owned())));
    if listened {
        let ends = |update: &&Update| matches!(update.leave.how, LeaveHow::Finished(_) | LeaveHow::Held { .. });
        let ended: Vec<RunKey> = batch.updates.iter().filter(ends).map(|update| update.run).collect();
        let said = batch.event_history.iter().map(|(run, _)| *run).chain(batch.chunks.iter().map(|(run, _)| *run));
        let said: BTreeSet<RunKey> = said.collect();
        signals.extend((!ended.is_empty()).then_some(Signal::Finished(ended)));
        signals.extend((!said.is_empty()).then(|| Signal::Said(said.into_iter().collect())));
    }
    signals
}
