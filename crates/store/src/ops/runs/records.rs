//! The full records of runs, as shown to users.

use std::collections::HashMap;
use std::time::Duration;

use onward_types::{
    Deduplicated, ExecutorId, Facts, Held, Identity, Json, Origin, Refused, RunId, RunKey, RunRecord, Status,
    Timestamp, Wait, WaitFor, from_micros, reason,
};

use crate::change::OPEN;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::{self, executors, mailbox, queues};

/// Which payloads are read with a record.
#[derive(Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) input: bool,
    pub(crate) output: bool,
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
    for (key, wait) in ops::waits(tx, keys).await? {
        waits.entry(key).or_default().push(wait);
    }
    let mut refused: HashMap<RunKey, Vec<Refused>> = HashMap::new();
    if waits.values().flatten().any(|wait| matches!(wait.wait_for, WaitFor::Message { .. })) {
        for (key, of_topic) in mailbox::refused(tx, keys).await? {
            refused.entry(key).or_default().push(of_topic);
        }
    }
    let known = executors::known_workflows(tx).await?;
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

/// Data about a run from outside its row.
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
    let last_executor = row.opt_text("last_executor")?.map(ExecutorId::new);
    let origin = row.opt_text("origin")?.map_or(Ok(Origin::Started), |origin| origin.parse())?;
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
        known: executors::is_known(around.known, &workflow, version.as_deref()),
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
        last_executor: executor.clone().or(last_executor),
        executor,
        origin,
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

/// The error that an open run of the queue holds the dedup key; `instead` says what the caller can do.
pub(crate) async fn deduplicated(
    tx: &mut Tx,
    queue: &str,
    dedup: &str,
    holder: RunKey,
    instead: &str,
    now: Timestamp,
) -> Result<Fault, Fault> {
    let loaded = Loaded { input: false, output: false };
    let Some(RunRecord { id: run, status, reason, .. }) = records(tx, &[holder], loaded, now).await?.pop() else {
        return Err(Fault::try_again(format!("the run with the dedup key `{dedup}` was just deleted: try again")));
    };
    let (queue, dedup) = (queue.to_owned(), dedup.to_owned());
    Ok(Deduplicated { queue, dedup, run, status, reason }.refused(instead).into())
}

/// The identity on whose behalf a run executes.
pub(crate) fn identity(row: &Row) -> Result<Option<Identity>, Fault> {
    let Some(text) = row.opt_text("identity")? else { return Ok(None) };
    let corrupt = |error| {
        let id = row.text("id").unwrap_or_default();
        Fault::corrupt(format!("column `identity` of run {id:?} in `runs`: {error}"))
    };
    Json::from(text).decode().map(Some).map_err(corrupt)
}
