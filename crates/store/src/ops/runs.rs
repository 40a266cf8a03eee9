//! Create runs and read what is known of them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use onward_types::{
    Attempt, Error, ExecutorId, Facts, Held, Identity, Json, Refused, RunId, RunKey, RunRecord, Status, StepFilter,
    StepKind, StepRecord, StepState, Timestamp, Wait, WaitFor, from_micros, reason,
};

use super::gather::Gathering;
use super::queues;
use crate::change::OPEN;
use crate::change::{Created, Existing, INLINE_MAX, NewRun, Queued};
use crate::driver::{Param, Row, Tx, params, sql};
use crate::fault::Fault;
use crate::records::Outcome;
use crate::signal::Signal;

/// Runs of more queues than this tell those who claim to look at all.
const QUEUES_MAX: usize = 8;

/// Create a run for whoever may claim it.
pub(crate) async fn create(tx: &mut Tx, run: &NewRun) -> Result<Created, Fault> {
    let seq = match run.queued {
        Some(_) => Some(queues::next_seq(tx).await?),
        None => None,
    };
    let created = insert(tx, run, seq, Gathering::default()).await?;
    if created == Created::New {
        tx.notify(&ready(run));
    }
    Ok(created)
}

/// Create these runs for whoever may claim them, in their order. There are no more than one number of the sequence has room for.
pub(crate) async fn create_many(tx: &mut Tx, new: &[NewRun]) -> Result<Vec<Created>, Fault> {
    let first = queues::next_seq(tx).await?;
    // Two that create the same runs in another order would wait for each other.
    let mut numbered: Vec<(&NewRun, i64)> = new.iter().zip(first..).collect();
    numbered.sort_by_key(|(run, _)| (run.queued.as_ref().and_then(|it| it.dedup.as_deref()), run.id.as_str()));
    let row = |(run, seq): (&NewRun, i64)| row_of(run, run.queued.as_ref().map(|_| seq), Gathering::default());
    tx.query_each(sql!("runs/create"), &numbered.into_iter().map(row).collect::<Vec<_>>()).await?;
    let keys: Vec<RunKey> = new.iter().map(|run| run.key).collect();
    let rows = tx.query(sql!("runs/created"), &params![&keys]).await?;
    let created: HashSet<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    let long = new.iter().filter(|run| created.contains(&run.key) && run.input.len() > INLINE_MAX);
    let long: Vec<Vec<Param>> = long.map(|run| params![run.key, "input", run.input.as_str()].into()).collect();
    tx.query_each(sql!("runs/put_payload"), &long).await?;
    let mut came_of = Vec::with_capacity(new.len());
    for run in new {
        came_of.push(if created.contains(&run.key) { Created::New } else { in_the_way(tx, run).await? });
    }
    for signal in ready_all(new) {
        tx.notify(&signal);
    }
    Ok(came_of)
}

/// What is told of a run that was created for whoever may claim it. One that enters its queue later has to be waited for.
fn ready(run: &NewRun) -> Signal {
    match &run.queued {
        Some(queued) if run.status == Status::Enqueued => Signal::Queued(queued.queue.clone()),
        _ => Signal::Ready,
    }
}

/// The same of many: no more than a few queues are worth their names.
pub(crate) fn ready_all(new: &[NewRun]) -> Vec<Signal> {
    let mut signals = Vec::new();
    for signal in new.iter().map(ready) {
        if !signals.contains(&signal) {
            signals.push(signal);
        }
        if signals.len() > QUEUES_MAX {
            return vec![Signal::Ready];
        }
    }
    signals
}

/// Create a run, at the place `seq` of its queue. One that gathers says until when.
pub(crate) async fn insert(
    tx: &mut Tx,
    run: &NewRun,
    seq: Option<i64>,
    gathering: Gathering<'_>,
) -> Result<Created, Fault> {
    if tx.execute(sql!("runs/create"), &row_of(run, seq, gathering)).await? == 0 {
        return in_the_way(tx, run).await;
    }
    if run.input.len() > INLINE_MAX {
        tx.execute(sql!("runs/put_payload"), &params![run.key, "input", run.input.as_str()]).await?;
    }
    Ok(Created::New)
}

/// Why a run could not be created.
async fn in_the_way(tx: &mut Tx, run: &NewRun) -> Result<Created, Fault> {
    if let Some(found) = find(tx, &run.id).await? {
        // It was created before, and only the answer to the commit was lost.
        return Ok(if found.key == run.key { Created::New } else { Created::Existing(found) });
    }
    let holder = match &run.queued {
        Some(Queued { queue, dedup: Some(dedup), .. }) => holder(tx, queue, dedup).await?,
        _ => None,
    };
    match holder {
        Some(holder) => Ok(Created::Duplicate(holder)),
        // What was in the way has ended, or was deleted, since; or it gathers for the same key, and was made just now.
        None => Err(Fault::try_again(format!("what stands in the way of run {:?} has to be looked at again", run.id))),
    }
}

/// The row that a new run has.
fn row_of(run: &NewRun, seq: Option<i64>, gathering: Gathering<'_>) -> Vec<Param> {
    let (parent, position) = run.parent.unzip();
    let timeout = run.timeout.map(crate::clock::timeout_micros);
    let identity = run.identity.as_ref().and_then(|it| serde_json::to_string(it).ok());
    let is_short = run.input.len() <= INLINE_MAX;
    let inline = is_short.then(|| run.input.as_str());
    let queued = run.queued.as_ref();
    params![
        run.key,
        run.id.as_str(),
        run.workflow.as_str(),
        run.version_if(run.executor.is_some()),
        run.status.as_str(),
        run.executor.as_ref().map(ExecutorId::as_str),
        run.ready_at,
        run.recoveries_max,
        parent,
        position,
        run.created_at,
        run.executor.as_ref().map(|_| run.created_at),
        i64::from(run.executor.is_some()),
        timeout,
        run.deadline,
        run.input_hash,
        identity,
        run.attributes.as_ref().map(Json::as_str),
        inline,
        queued.map(|it| it.queue.as_str()),
        queued.map_or(0, |it| it.priority),
        queued.and_then(|it| it.partition.as_deref()),
        queued.and_then(|it| it.dedup.as_deref()),
        seq,
        gathering.key,
        gathering.until,
        gathering.items,
    ]
    .into()
}

/// The open run of the queue that has the dedup.
pub(crate) async fn holder(tx: &mut Tx, queue: &str, dedup: &str) -> Result<Option<Existing>, Fault> {
    let row = tx.first(sql!("runs/holder"), &params![queue, dedup]).await?;
    row.as_ref().map(Row::existing).transpose()
}

/// The run that has this id, if one has.
pub(crate) async fn find(tx: &mut Tx, id: &RunId) -> Result<Option<Existing>, Fault> {
    if !id.is_possible() {
        return Ok(None);
    }
    let row = tx.first(sql!("runs/existing"), &params![id.as_str()]).await?;
    row.as_ref().map(Row::existing).transpose()
}

/// Of some runs, those that somebody who waits for their end should look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Those that have ended or are paused.
    pub ended: Vec<RunKey>,
    /// Those that are not there any more.
    pub gone: Vec<RunKey>,
}

/// How a run stands; none if there is no such run.
pub(crate) async fn outcome(tx: &mut Tx, key: RunKey) -> Result<Option<Outcome>, Fault> {
    let Some(row) = tx.first(sql!("runs/outcome"), &params![key]).await? else { return Ok(None) };
    Ok(Some(Outcome {
        status: row.text("status")?.parse()?,
        said: row.opt_text("said")?,
        output: row.opt_text("output")?.map(Json::from),
        error: row.opt_text("error")?.map(Json::from),
        unreadable: None,
        cancelled_with: row.opt_text("cancelled_with")?.map(RunId::recorded),
    }))
}

/// Which of these runs somebody who waits for their end should look at.
pub(crate) async fn ended(tx: &mut Tx, keys: &[RunKey]) -> Result<Ends, Fault> {
    let rows = tx.query(sql!("runs/ended"), &params![keys]).await?;
    let ended = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    let there = tx.first(sql!("runs/there"), &params![keys]).await?.map_or(Ok(0), |row| row.count("n"))?;
    if there as usize >= keys.len() {
        return Ok(Ends { ended, gone: Vec::new() });
    }
    let rows = tx.query(sql!("runs/created"), &params![keys]).await?;
    let there: HashSet<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    Ok(Ends { ended, gone: keys.iter().copied().filter(|key| !there.contains(key)).collect() })
}

/// A child of which its parent recorded nothing.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Its key.
    pub key: RunKey,
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Where in its parent's order it was started.
    pub position: u32,
}

/// The children of a run of which it recorded nothing.
pub(crate) async fn stray_children(tx: &mut Tx, parent: RunKey) -> Result<Vec<Stray>, Fault> {
    let rows = tx.query(sql!("runs/stray_children"), &params![parent]).await?;
    let stray = |row: &Row| {
        Ok(Stray {
            key: row.key("run_key")?,
            id: RunId::recorded(row.text("id")?),
            workflow: row.text("workflow")?,
            position: row.count("parent_position")?,
        })
    };
    rows.iter().map(stray).collect()
}

/// All that is known of one run.
pub(crate) async fn describe(tx: &mut Tx, id: &RunId, now: Timestamp) -> Result<Option<RunRecord>, Fault> {
    let Some(run) = find(tx, id).await? else { return Ok(None) };
    Ok(records(tx, &[run.key], Loaded { input: true, output: true }, now).await?.pop())
}

/// Wake parked runs that refused messages which they wait for, so that other code looks at those.
pub(crate) async fn look_again(
    tx: &mut Tx,
    workflows: &Vec<String>,
    after: Option<RunKey>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<RunKey>, Fault> {
    let after = after.unwrap_or(RunKey(uuid::Uuid::nil()));
    let rows = tx.query(sql!("runs/look_again"), &params![now, workflows, after, limit]).await?;
    let mut woken = rows.iter().map(|row| row.key("run_key")).collect::<Result<Vec<_>, _>>()?;
    woken.sort_unstable();
    if !woken.is_empty() {
        tx.notify(&Signal::Ready);
    }
    Ok(woken)
}

/// The children of a run, in the order of their creation.
pub(crate) async fn children(tx: &mut Tx, id: &RunId) -> Result<Vec<RunId>, Fault> {
    let rows = tx.query(sql!("runs/children"), &params![id.as_str()]).await?;
    rows.iter().map(|row| row.text("id").map(RunId::recorded)).collect()
}

/// Which payloads are read with a record.
#[derive(Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) input: bool,
    pub(crate) output: bool,
}

/// All that is known of these runs, in this order. One that is gone is left out.
pub(crate) async fn records(
    tx: &mut Tx,
    keys: &[RunKey],
    loaded: Loaded,
    now: Timestamp,
) -> Result<Vec<RunRecord>, Fault> {
    let rows = tx.query(sql!("runs/records"), &params![keys, loaded.input, loaded.output]).await?;
    let mut waits: HashMap<RunKey, Vec<Wait>> = HashMap::new();
    for (key, wait) in super::waits(tx, keys).await? {
        waits.entry(key).or_default().push(wait);
    }
    let mut refused: HashMap<RunKey, Vec<Refused>> = HashMap::new();
    if waits.values().flatten().any(|wait| matches!(wait.wait_for, WaitFor::Message { .. })) {
        for (key, of_topic) in super::mailbox::refused(tx, keys).await? {
            refused.entry(key).or_default().push(of_topic);
        }
    }
    let known = super::executors::known_workflows(tx).await?;
    let held = queues::held(tx, &rows, now).await?;
    let mut records = HashMap::new();
    for row in &rows {
        let key = row.key("run_key")?;
        let waits = waits.get(&key).map(Vec::as_slice).unwrap_or_default();
        let refused = refused.get(&key).map(Vec::as_slice).unwrap_or_default();
        records.insert(key, record(row, &Around { waits, refused, held: held.get(&key), known: &known, now })?);
    }
    Ok(keys.iter().filter_map(|key| records.remove(key)).collect())
}

/// What is known of a run beside its row.
struct Around<'a> {
    waits: &'a [Wait],
    refused: &'a [Refused],
    held: Option<&'a Held>,
    known: &'a [String],
    now: Timestamp,
}

fn record(row: &Row, around: &Around<'_>) -> Result<RunRecord, Fault> {
    let time = |column: &str| Ok::<_, Fault>(row.opt_int(column)?.map(from_micros));
    let json = |column: &str| Ok::<_, Fault>(row.opt_text(column)?.map(Json::from));
    let id = RunId::recorded(row.text("id")?);
    let workflow = row.text("workflow")?;
    let version = Some(row.text("version")?).filter(|version| version != OPEN);
    let status: Status = row.text("status")?.parse()?;
    let executor = row.opt_text("executor")?.map(ExecutorId::new);
    let error = json("error")?;
    let said = row.opt_text("said")?;
    let reason = reason(&Facts {
        status,
        workflow: &workflow,
        version: version.as_deref(),
        executor: executor.as_ref(),
        revoked: row.flag("revoked")?,
        ready_at: time("ready_at")?,
        waits: around.waits,
        refused: around.refused,
        held: around.held,
        said: said.as_deref(),
        error: error.as_ref(),
        known: super::executors::is_known(around.known, &workflow, version.as_deref()),
        recoveries: row.count("recoveries")?,
        now: around.now,
    });
    let identity = identity(row)?.unwrap_or_default();
    Ok(RunRecord {
        key: row.key("run_key")?,
        id,
        workflow,
        version,
        status,
        reason,
        input: json("input")?.unwrap_or_else(Json::null),
        output: json("output")?,
        error,
        created_at: from_micros(row.int("created_at")?),
        updated_at: from_micros(row.int("updated_at")?),
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
        ready_at: time("ready_at")?,
        timeout: row.opt_int("timeout")?.map(|micros| Duration::from_micros(micros.unsigned_abs())),
        deadline: time("deadline")?,
        executor,
        owners: row.count("owners")?,
        recoveries: row.count("recoveries")?,
        recoveries_max: row.count("recoveries_max")?,
        parent: row.opt_text("parent_id")?.map(RunId::recorded),
        parent_position: row.opt_int("parent_position")?.and_then(|it| u32::try_from(it).ok()),
        forked_from: row.opt_text("forked_from_id")?.map(RunId::recorded),
        fork_position: row.opt_int("fork_position")?.and_then(|it| u32::try_from(it).ok()),
        identity,
        attributes: json("attributes")?,
        queue: row.opt_text("queue")?,
        priority: row.count("priority")?,
        partition: row.opt_text("partition_key")?,
        dedup: row.opt_text("dedup")?,
    })
}

/// On whose behalf a run works.
pub(crate) fn identity(row: &Row) -> Result<Option<Identity>, Fault> {
    let Some(text) = row.opt_text("identity")? else { return Ok(None) };
    let corrupt = |error| {
        let id = row.text("id").unwrap_or_default();
        Fault::corrupt(format!("column `identity` of run {id:?} in `runs`: {error}"))
    };
    Json::from(text).decode().map(Some).map_err(corrupt)
}

/// Every durable call of a run: what is recorded, what was tried, what it waits for; none if there is no such run.
pub(crate) async fn steps(tx: &mut Tx, id: &RunId, filter: StepFilter) -> Result<Option<Vec<StepRecord>>, Fault> {
    let Some(run) = find(tx, id).await? else { return Ok(None) };
    let limit = filter.limit.map_or(i64::MAX, i64::from);
    let page = params![run.key, filter.from, limit, filter.with_output];
    let mut steps = Vec::new();
    for row in tx.query(sql!("checkpoints/of_run"), &page).await? {
        let mut step = recorded(&row)?;
        step.output = step.output.filter(|_| filter.with_output);
        steps.push(step);
    }
    for row in tx.query(sql!("waits/of_runs"), &params![&[run.key][..]]).await? {
        waiting(&mut steps, &row.text("name")?, &row.text("kind")?, &super::wait(&row)?);
    }
    for row in tx.query(sql!("checkpoints/attempts_of_run"), &params![run.key]).await? {
        attempted(&mut steps, &row)?;
    }
    let is_over = |run: Outcome| matches!(run.status, Status::Succeeded | Status::Failed);
    if steps.iter().any(|step| step.state.is_open()) && outcome(tx, run.key).await?.is_some_and(is_over) {
        // A crash may have come between the end of a race and the note that it was lost.
        steps.iter_mut().filter(|step| step.state.is_open()).for_each(|step| step.state = StepState::Cancelled);
    }
    for row in tx.query(sql!("runs/children_of"), &params![run.key]).await? {
        let (id, position) = (row.text("id")?, row.count("parent_position")?);
        if let Some(step) = steps.iter_mut().find(|step| step.position == position) {
            step.child = Some(RunId::recorded(id));
        }
    }
    // All that is not recorded was looked at; what lies outside the page is left out here.
    steps.retain(|step| step.position >= filter.from);
    steps.sort_by_key(|step| step.position);
    steps.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Some(steps))
}

fn recorded(row: &Row) -> Result<StepRecord, Fault> {
    let kind: StepKind = row.text("kind")?.parse()?;
    let result = super::result(row)?;
    let child = match (&kind, &result) {
        (StepKind::Start, Ok(output)) => output.decode::<Started>().ok().map(|it| it.id),
        _ => None,
    };
    Ok(StepRecord {
        position: row.count("position")?,
        kind,
        name: row.text("name")?,
        state: if result.is_ok() { StepState::Succeeded } else { StepState::Failed },
        output: result.as_ref().ok().cloned(),
        error: result.err(),
        child,
        started_at: Some(from_micros(row.int("started_at")?)),
        completed_at: Some(from_micros(row.int("finished_at")?)),
        attempts: Vec::new(),
    })
}

/// What the start of a child records.
#[derive(serde::Deserialize)]
struct Started {
    id: RunId,
}

fn open_step(position: u32, kind: StepKind, name: &str, state: StepState) -> StepRecord {
    StepRecord {
        position,
        kind,
        name: name.to_owned(),
        state,
        output: None,
        error: None,
        child: None,
        started_at: None,
        completed_at: None,
        attempts: Vec::new(),
    }
}

fn waiting(steps: &mut Vec<StepRecord>, name: &str, kind: &str, wait: &Wait) {
    let kind = match kind {
        "child" => StepKind::Child,
        "retry" => StepKind::Step,
        "message" => StepKind::Recv,
        "event" => StepKind::GetEvent,
        _ => StepKind::Sleep,
    };
    let mut step = open_step(wait.position, kind, name, StepState::Waiting);
    step.started_at = Some(wait.since);
    if let WaitFor::Child { id, .. } = &wait.wait_for {
        step.child = Some(id.clone());
    }
    if steps.iter().all(|other| other.position != step.position) {
        steps.push(step);
    }
}

fn attempted(steps: &mut Vec<StepRecord>, row: &Row) -> Result<(), Fault> {
    let position = row.count("position")?;
    let attempt = Attempt {
        attempt: row.count("attempt")?,
        started_at: from_micros(row.int("started_at")?),
        finished_at: row.opt_int("finished_at")?.map(from_micros),
        error: row.opt_text("error")?.map(Json::from),
    };
    let at = match steps.iter().position(|step| step.position == position) {
        Some(at) => at,
        None => {
            steps.push(open_step(position, StepKind::Step, &row.text("name")?, StepState::Running));
            steps.len() - 1
        }
    };
    let step = &mut steps[at];
    if matches!(step.state, StepState::Running | StepState::Cancelled) {
        let given_up = attempt.error.as_ref().and_then(|error| Error::from_json(error).ok());
        step.state = match given_up {
            Some(error) if error.is_cancelled() => StepState::Cancelled,
            _ => StepState::Running,
        };
    }
    step.started_at = step.started_at.map_or(Some(attempt.started_at), |at| Some(at.min(attempt.started_at)));
    step.attempts.push(attempt);
    Ok(())
}
