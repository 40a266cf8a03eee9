//! Executors: join, beat, be declared dead, leave.

use std::time::Duration;

use onward_types::{ExecutorId, Json, RunKey, Timestamp, from_micros};

use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// An executor as the others see it.
#[derive(Clone, Debug)]
pub struct ExecutorRow {
    /// Its id.
    pub id: ExecutorId,
    /// How often it has said that it lives.
    pub beat: i64,
    /// Whether it was declared dead.
    pub dead: bool,
    /// The name of its machine.
    pub host: String,
    /// The id of its process.
    pub pid: u32,
    /// The workflows it knows, each as `name@version`.
    pub workflows: Vec<String>,
    /// Since when it lives.
    pub started_at: Timestamp,
    /// How long it may say nothing before it is declared dead; not known of one that an older version runs.
    pub lease: Option<Duration>,
}

/// The sign of life of an executor.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Of which executor.
    pub executor: ExecutorId,
    /// How often it has said that it lives.
    pub beat: i64,
    /// Whether it was declared dead.
    pub dead: bool,
    /// How long it may say nothing before it is declared dead, if that is known.
    pub lease: Option<Duration>,
}

/// An executor that joins.
#[derive(Clone, Debug)]
pub struct NewExecutor {
    /// Its id.
    pub id: ExecutorId,
    /// The workflows it knows, each as `name@version`.
    pub workflows: Vec<String>,
    /// How long it may say nothing before it is declared dead.
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

/// Say that the executor lives. False: it was declared dead.
pub(crate) async fn beat(tx: &mut Tx, executor: &ExecutorId) -> Result<bool, Fault> {
    Ok(tx.execute(sql!("executors/beat"), &params![executor.as_str()]).await? == 1)
}

pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<ExecutorRow>, Fault> {
    let rows = tx.query(sql!("executors/list"), &[]).await?;
    let executor = |row: &crate::driver::Row| {
        let id = row.text("executor")?;
        let workflows = Json::from(row.text("workflows")?).decode();
        Ok(ExecutorRow {
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

/// The signs of life of all executors, and what time it is on the server.
pub(crate) async fn beats(tx: &mut Tx) -> Result<(Vec<Beat>, Option<Timestamp>), Fault> {
    let rows = tx.query(sql!("executors/beats"), &[]).await?;
    let at = rows.first().map(|row| row.int("at")).transpose()?.map(from_micros);
    let beat = |row: &crate::driver::Row| {
        let executor = ExecutorId::new(row.text("executor")?);
        Ok(Beat { executor, beat: row.int("beat")?, dead: row.flag("dead")?, lease: lease(row)? })
    };
    Ok((rows.iter().map(beat).collect::<Result<_, Fault>>()?, at))
}

/// The workflows that some live executor knows, each as `name@version`.
pub(crate) async fn known_workflows(tx: &mut Tx) -> Result<Vec<String>, Fault> {
    Ok(list(tx).await?.into_iter().filter(|it| !it.dead).flat_map(|it| it.workflows).collect())
}

/// Whether one of these workflows is this one, in any version where that is open.
pub(crate) fn is_known(known: &[String], workflow: &str, version: Option<&str>) -> bool {
    known.iter().any(|known| match (known.split_once('@'), version) {
        (Some((name, its)), Some(version)) => name == workflow && its == version,
        (Some((name, _)), None) => name == workflow,
        (None, _) => false,
    })
}

/// Declare an executor dead unless it lives. From the commit on no batch of it can stand.
pub(crate) async fn declare_dead(tx: &mut Tx, executor: &ExecutorId, beat: i64) -> Result<bool, Fault> {
    let declared = tx.execute(sql!("executors/declare_dead"), &params![executor.as_str(), beat]).await?;
    tx.execute(sql!("executors/kill_fence"), &params![executor.as_str()]).await?;
    Ok(declared == 1)
}

/// Declare every executor dead: the caller has the lock that only one executor of a SQLite file can have.
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

/// Forget dead executors that have no runs any more.
pub(crate) async fn forget(tx: &mut Tx) -> Result<(), Fault> {
    tx.execute(sql!("executors/forget"), &[]).await?;
    tx.execute(sql!("executors/forget_fences"), &[]).await?;
    Ok(())
}

/// An executor that shut down leaves, and whatever it still has may be claimed at once.
pub(crate) async fn leave(tx: &mut Tx, executor: &ExecutorId, now: Timestamp) -> Result<(), Fault> {
    tx.execute(sql!("executors/leave_fence"), &params![executor.as_str()]).await?;
    // What one of them started in its last batch was not there yet when it was cancelled.
    let cancelled = tx.query(sql!("runs/cancelled_of"), &params![executor.as_str()]).await?;
    let cancelled: Vec<RunKey> = cancelled.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    super::steer::cancel_children(tx, &cancelled, now).await?;
    tx.execute(sql!("runs/release_all"), &params![executor.as_str(), now]).await?;
    tx.execute(sql!("executors/leave"), &params![executor.as_str()]).await?;
    tx.notify(&Signal::Ready);
    Ok(())
}

/// The runs that were taken from an executor and that it has not let go of.
pub(crate) async fn revoked(tx: &mut Tx, executor: &ExecutorId) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/revoked"), &params![executor.as_str()]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// The runs that an executor has, but for those that were taken from it.
pub(crate) async fn owned(tx: &mut Tx, executor: &ExecutorId) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/owned"), &params![executor.as_str()]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}
