//! The full records of runs, as shown to users.

use std::collections::HashMap;
use std::time::Duration;

use onward_types::{
    Deduplicated, ExecutorId, Facts, Identity, Json, Origin, QueueWait, Reason, Retry, Retrying, RunId, RunKey,
    RunRecord, Status, Timestamp, Wait, WaitFor, from_micros,
};
use serde::de::DeserializeOwned;

use crate::change::{OPEN, hold};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::given_limit;
use crate::ops::{queue_waits, steerings, waits};

/// What is read with a record.
#[derive(Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) input: bool,
    pub(crate) output: bool,
    /// Of a single run in a queue: which runs hold the slots, and how many are ahead.
    pub(crate) queue: bool,
}

/// The records of these runs, in this order. Runs that do not exist are left out.
pub(crate) async fn records(
    tx: &mut Tx,
    keys: &[RunKey],
    loaded: Loaded,
    now: Timestamp,
) -> Result<Vec<RunRecord>, Fault> {
    let rows = tx.query(sql!("runs/records"), &params![keys, loaded.input, loaded.output]).await?;
    let mut waits: HashMap<RunKey, Vec<Wait>> = HashMap::new();
    for (key, wait) in waits::shown(tx, keys).await? {
        waits.entry(key).or_default().push(wait);
    }
    let mut beats = heartbeats(tx, &rows).await?;
    let there = queue_waits::versions_there(tx).await?;
    let mut queued = queue_waits::of_rows(tx, &rows, now).await?;
    if let (true, [one]) = (loaded.queue, keys)
        && let Some(queue) = queued.get_mut(one)
    {
        queue_waits::complete(tx, *one, queue).await?;
    }
    let mut records = HashMap::new();
    for row in &rows {
        let key = row.key("run_key")?;
        let (waits, queue) = (waits.remove(&key).unwrap_or_default(), queued.remove(&key));
        let around = Around { waits, queue, heartbeat: beats.remove(&key), there: &there, now };
        records.insert(key, record(row, around)?);
    }
    Ok(keys.iter().filter_map(|key| records.remove(key)).collect())
}

/// Data about a run from outside its row.
struct Around<'a> {
    waits: Vec<Wait>,
    queue: Option<QueueWait>,
    /// The step in progress that sent the last heartbeat, and when.
    heartbeat: Option<(String, Timestamp)>,
    there: &'a HashMap<String, Vec<String>>,
    now: Timestamp,
}

/// The last heartbeats of steps in progress, of those runs that an executor executes.
async fn heartbeats(tx: &mut Tx, rows: &[Row]) -> Result<HashMap<RunKey, (String, Timestamp)>, Fault> {
    let mut executed = Vec::new();
    for row in rows {
        if row.opt_text("executor")?.is_some() && row.text("status")? == Status::Running.as_str() {
            executed.push(row.key("run_key")?);
        }
    }
    if executed.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.query(sql!("checkpoints/heartbeats"), &params![&executed]).await?;
    let beat = |row: &Row| Ok((row.key("run_key")?, (row.text("name")?, from_micros(row.int("beat_at")?))));
    rows.iter().map(beat).collect()
}

fn record(row: &Row, around: Around<'_>) -> Result<RunRecord, Fault> {
    let time = |column: &str| Ok::<_, Fault>(row.opt_int(column)?.map(from_micros));
    let json = |column: &str| Ok::<_, Fault>(row.opt_text(column)?.map(Json::from));
    let id = RunId::recorded(row.text("id")?);
    let workflow = row.text("workflow")?;
    let version = Some(row.text("version")?).filter(|version| version != OPEN);
    let status: Status = row.text("status")?.parse()?;
    let executor = row.opt_text("executor")?.map(ExecutorId::new);
    let last_executor = row.opt_text("last_executor")?.map(ExecutorId::new);
    let origin = row.opt_text("origin")?.map_or(Ok(Origin::Started), |origin| origin.parse())?;
    let error = json("error")?;
    let said = row.opt_text("said")?;
    let max_recoveries = given_limit(row.count("recoveries_max")?);
    let retry: Option<Retry> = stored(row, "retry")?;
    let retrying: Option<Retrying> = stored(row, "retrying")?;
    let Around { waits, queue, heartbeat, there, now } = around;
    // A run that does not run keeps its waits for the time when it does, except for the one with which it paused itself.
    let is_pause = |wait: &Wait| matches!(wait.wait_for, WaitFor::Resume { .. });
    let counts = |wait: &Wait| match status {
        Status::Running => !is_pause(wait),
        Status::Paused => is_pause(wait),
        _ => false,
    };
    let waits: Vec<Wait> = waits.into_iter().filter(counts).collect();
    let why = Reason::of(&Facts {
        status,
        workflow: &workflow,
        version: version.as_deref(),
        executor: executor.as_ref(),
        revoked: row.flag("revoked")?,
        ready_at: time("ready_at")?,
        waits: &waits,
        queue,
        said: said.as_deref(),
        error: error.as_ref(),
        there: there.get(&workflow).map(Vec::as_slice).unwrap_or_default(),
        recoveries: row.count("recoveries")?,
        heartbeat: heartbeat.as_ref().map(|(step, at)| (step.as_str(), *at)),
        max_recoveries,
        recover_at: time("recover_at")?,
        retrying: retrying.as_ref(),
        now,
    });
    let steered = match status {
        Status::Cancelled => steerings::of_row(row, "steered", "runs")?,
        Status::Paused => steerings::of_row(row, "steered", "runs")?.or_else(|| {
            // Its executor holds it, or it paused itself: only that leaves an error.
            let at = from_micros(row.int("updated_at").unwrap_or_default());
            error.as_ref().map(|_| hold(waits.iter().any(is_open_pause), said.clone(), at))
        }),
        _ => None,
    };
    let identity = identity(row)?.unwrap_or_default();
    Ok(RunRecord {
        key: row.key("run_key")?,
        id,
        workflow,
        version,
        status,
        reason: why.to_string(),
        why,
        waits: if status == Status::Running { waits } else { Vec::new() },
        steered,
        input: json("input")?,
        output: json("output")?,
        error,
        created_at: from_micros(row.int("created_at")?),
        updated_at: from_micros(row.int("updated_at")?),
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
        ready_at: time("ready_at")?,
        timeout: row.opt_int("timeout")?.map(|micros| Duration::from_micros(micros.unsigned_abs())),
        deadline: time("deadline")?,
        last_executor: executor.clone().or(last_executor),
        executor,
        origin,
        owners: row.count("owners")?,
        recoveries: row.count("recoveries")?,
        max_recoveries,
        attempt: retrying.as_ref().map_or(1, |retrying| retrying.attempt),
        attempts: retrying.as_ref().map(|retrying| retrying.of).or(retry.and_then(|retry| retry.attempts)),
        last_error: retrying.map(|retrying| retrying.error),
        parent: row.opt_text("parent_id")?.map(RunId::recorded),
        parent_position: row.opt_int("parent_position")?.and_then(|it| u32::try_from(it).ok()),
        on_parent_end: row.opt_text("on_parent_end")?.map(|it| it.parse()).transpose()?,
        forked_from: row.opt_text("forked_from_id")?.map(RunId::recorded),
        fork_position: row.opt_int("fork_position")?.and_then(|it| u32::try_from(it).ok()),
        identity,
        attributes: json("attributes")?,
        queue: row.opt_text("queue")?,
        priority: row.count("priority")?,
        partition: row.opt_text("partition_key")?,
        dedup: row.opt_text("dedup")?,
        generation: row.opt_int("generation")?.and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
    })
}

/// Whether a run that is paused has paused itself with this call.
fn is_open_pause(wait: &Wait) -> bool {
    matches!(wait.wait_for, WaitFor::Resume { resumed_at: None })
}

/// The error that an open run of the queue holds the dedup key; `instead` says what the caller can do.
pub(crate) async fn deduplicated(
    tx: &mut Tx,
    queue: &str,
    dedup: &str,
    holder: RunKey,
    instead: &str,
    now: Timestamp,
) -> Result<Fault, Fault> {
    let loaded = Loaded { input: false, output: false, queue: false };
    let Some(RunRecord { id: run, status, reason, .. }) = records(tx, &[holder], loaded, now).await?.pop() else {
        return Err(Fault::try_again(format!("the run with the dedup key `{dedup}` was just deleted: try again")));
    };
    let (queue, dedup) = (queue.to_owned(), dedup.to_owned());
    Ok(Deduplicated { queue, dedup, run, status, reason }.refused(instead).into())
}

/// The identity on whose behalf a run executes.
pub(crate) fn identity(row: &Row) -> Result<Option<Identity>, Fault> {
    stored(row, "identity")
}

/// What a column of the run has as JSON.
pub(crate) fn stored<T: DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, Fault> {
    let Some(text) = row.opt_text(column)? else { return Ok(None) };
    let corrupt = |error| {
        let id = row.text("id").unwrap_or_default();
        Fault::corrupt(format!("column `{column}` of run {id:?} in `runs`: {error}"))
    };
    Json::from(text).decode().map(Some).map_err(corrupt)
}
