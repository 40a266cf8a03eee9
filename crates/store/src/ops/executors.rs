//! Executors: joining, heartbeats, being declared dead, leaving.

use std::time::Duration;

use onward_types::{ExecutorId, ExecutorRecord, Json, RunKey, Timestamp, from_micros};

use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// The heartbeat of an executor.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The executor.
    pub executor: ExecutorId,
    /// Its number of heartbeats.
    pub beat: i64,
    /// Whether it was declared dead.
    pub dead: bool,
    /// How long it may send no heartbeat before it is declared dead, if known.
    pub lease: Option<Duration>,
}

/// An executor that joins.
#[derive(Clone, Debug)]
pub struct NewExecutor {
    /// Its id.
    pub id: ExecutorId,
    /// The workflows it knows, each as `name@version`.
    pub workflows: Vec<String>,
    /// How long it may send no heartbeat before it is declared dead.
    pub lease: Duration,
}

pub(crate) async fn join(tx: &mut Tx, new: &NewExecutor, now: Timestamp) -> Result<(), Fault> {
    let workflows = Json::encode(&new.workflows)?;
    let (id, host, pid) = (new.id.as_str(), crate::host(), std::process::id());
    let lease = i64::try_from(new.lease.as_micros()).unwrap_or(i64::MAX);
    tx.execute(sql!("executors/join"), &params![id, host, pid, workflows.as_str(), now, lease]).await?;
    tx.execute(sql!("executors/add_fence", split), &params![id]).await?;
    Ok(())
}

/// Announce all workflows of an executor.
pub(crate) async fn announce(tx: &mut Tx, executor: &ExecutorId, workflows: &Json) -> Result<(), Fault> {
    tx.execute(sql!("executors/announce"), &params![executor.as_str(), workflows.as_str()]).await.map(drop)
}

/// Write a heartbeat. `false`: the executor was declared dead.
pub(crate) async fn beat(tx: &mut Tx, executor: &ExecutorId) -> Result<bool, Fault> {
    Ok(tx.execute(sql!("executors/beat"), &params![executor.as_str()]).await? == 1)
}

pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<ExecutorRecord>, Fault> {
    let rows = tx.query(sql!("executors/list"), &[]).await?;
    let executor = |row: &crate::driver::Row| {
        let id = row.text("executor")?;
        let workflows = Json::from(row.text("workflows")?).decode();
        Ok(ExecutorRecord {
            workflows: workflows
                .map_err(|error| Fault::corrupt(format!("column `workflows` of `{id}` in `executors`: {error}")))?,
            id: ExecutorId::new(id),
            beat: row.int("beat")?,
            dead: row.flag("dead")?,
            host: row.text("host")?,
            pid: row.count("pid")?,
            started_at: from_micros(row.int("started_at")?),
            lease: lease(row)?,
        })
    };
    rows.iter().map(executor).collect()
}

fn lease(row: &crate::driver::Row) -> Result<Option<Duration>, Fault> {
    Ok(row.opt_int("lease")?.map(|micros| Duration::from_micros(micros.unsigned_abs())))
}

/// The heartbeats of all executors, and the server's current time.
pub(crate) async fn beats(tx: &mut Tx) -> Result<(Vec<Beat>, Option<Timestamp>), Fault> {
    let rows = tx.query(sql!("executors/beats"), &[]).await?;
    let at = rows.first().map(|row| row.int("at")).transpose()?.map(from_micros);
    let beat = |row: &crate::driver::Row| {
        let executor = ExecutorId::new(row.text("executor")?);
        Ok(Beat { executor, beat: row.int("beat")?, dead: row.flag("dead")?, lease: lease(row)? })
    };
    Ok((rows.iter().map(beat).collect::<Result<_, Fault>>()?, at))
}

/// The workflows that at least one live executor knows, each as `name@version`.
pub(crate) async fn known_workflows(tx: &mut Tx) -> Result<Vec<String>, Fault> {
    Ok(list(tx).await?.into_iter().filter(|it| !it.dead).flat_map(|it| it.workflows).collect())
}

/// Whether `known` contains this workflow in this version; in any version if it is open.
pub(crate) fn is_known(known: &[String], workflow: &str, version: Option<&str>) -> bool {
    known.iter().any(|known| match (known.split_once('@'), version) {
        (Some((name, its)), Some(version)) => name == workflow && its == version,
        (Some((name, _)), None) => name == workflow,
        (None, _) => false,
    })
}

/// Declare an executor dead unless it has sent a heartbeat since `beat`. After the commit none of its batches can be committed.
pub(crate) async fn declare_dead(tx: &mut Tx, executor: &ExecutorId, beat: i64) -> Result<bool, Fault> {
    let declared = tx.execute(sql!("executors/declare_dead"), &params![executor.as_str(), beat]).await?;
    tx.execute(sql!("executors/kill_fence"), &params![executor.as_str()]).await?;
    Ok(declared == 1)
}

/// Declare every executor dead. The caller holds the lock that only one executor of a SQLite file can have.
pub(crate) async fn declare_all_dead(tx: &mut Tx) -> Result<(), Fault> {
    tx.execute(sql!("executors/declare_others_dead"), &[]).await?;
    tx.execute(sql!("executors/kill_fences"), &[]).await?;
    Ok(())
}

/// End the sessions that hold a dead executor's fence.
pub(crate) async fn end_sessions(tx: &mut Tx, executor: &ExecutorId) -> Result<(), Fault> {
    tx.query(sql!("executors/sessions", split), &params![executor.as_str()]).await?;
    Ok(())
}

/// Delete dead executors that own no runs any more.
pub(crate) async fn forget(tx: &mut Tx) -> Result<(), Fault> {
    tx.execute(sql!("executors/forget"), &[]).await?;
    tx.execute(sql!("executors/forget_fences"), &[]).await?;
    Ok(())
}

/// Remove an executor that shuts down. The runs that it still owns may be claimed at once.
pub(crate) async fn leave(tx: &mut Tx, executor: &ExecutorId, now: Timestamp) -> Result<(), Fault> {
    tx.execute(sql!("executors/leave_fence"), &params![executor.as_str()]).await?;
    // A child that a run started in its last batch did not exist yet when the run was cancelled or paused with its children.
    let stopped = tx.query(sql!("runs/stopped_of"), &params![executor.as_str()]).await?;
    let stopped: Vec<RunKey> = stopped.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    super::cascade::stop_children(tx, &stopped, now).await?;
    tx.execute(sql!("runs/release_all"), &params![executor.as_str(), now]).await?;
    tx.execute(sql!("executors/leave"), &params![executor.as_str()]).await?;
    tx.notify(&Signal::Ready);
    Ok(())
}

/// The runs that were revoked from an executor and that it has not released yet.
pub(crate) async fn revoked(tx: &mut Tx, executor: &ExecutorId) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/revoked"), &params![executor.as_str()]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// The runs that an executor owns, except revoked ones.
pub(crate) async fn owned(tx: &mut Tx, executor: &ExecutorId) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/owned"), &params![executor.as_str()]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}
