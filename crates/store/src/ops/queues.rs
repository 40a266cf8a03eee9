//! Queues: creating them, changing their limits, reading their state, and admitting delayed runs.

use std::collections::BTreeSet;
use std::time::Duration;

use onward_types::{
    Attribution, Code, Error, ExecutorId, QueueLimits, QueueRecord, Rate, Steering, SteeringAction, Timestamp,
    from_micros,
};

use super::known::Known;
use super::queue_limits::Settings;
use super::{starts, steerings};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// How many delayed runs enter their queues in one transaction. One number of the sequence leaves room for as many.
const LINE_UP: u32 = 900;

/// A row of `queues`.
#[derive(Clone, Debug)]
pub(crate) struct QueueRow {
    pub(crate) name: String,
    pub(crate) limits: QueueLimits,
    pub(crate) paused: bool,
    /// The partition that was served last.
    pub(crate) served: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A limit to set (`Some(Some(_))`), remove (`Some(None)`) or leave unchanged (`None`).
pub type LimitChange<T> = Option<Option<T>>;

/// Changes of a queue's settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueChange {
    /// The maximum number of runs at the same time.
    pub concurrency: LimitChange<u32>,
    /// The maximum number of them per executor.
    pub per_executor: LimitChange<u32>,
    /// The maximum number of starts per period.
    pub rate: LimitChange<Rate>,
    /// The maximum number of runs of a partition at the same time.
    pub partition_concurrency: LimitChange<u32>,
    /// The maximum number of starts of a partition per period.
    pub partition_rate: LimitChange<Rate>,
}

impl QueueChange {
    /// Adds what is changed later.
    pub fn add(&mut self, later: QueueChange) {
        self.concurrency = later.concurrency.or(self.concurrency);
        self.per_executor = later.per_executor.or(self.per_executor);
        self.rate = later.rate.or(self.rate);
        self.partition_concurrency = later.partition_concurrency.or(self.partition_concurrency);
        self.partition_rate = later.partition_rate.or(self.partition_rate);
    }
}

/// The queues that an executor may claim from.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// The queues, and whether each has limits.
    pub queues: Vec<(String, bool)>,
    /// When the next delayed run enters its queue.
    pub due: Option<Timestamp>,
}

pub(super) fn queue(row: &Row) -> Result<QueueRow, Fault> {
    let limit = |column: &str| Ok::<_, Fault>(row.opt_int(column)?.and_then(|it| u32::try_from(it).ok()));
    let rate = |count: &str, period: &str| {
        let period = row.opt_int(period)?.map(|it| Duration::from_micros(it.unsigned_abs()));
        Ok::<_, Fault>(limit(count)?.zip(period).map(|(count, period)| Rate { count, period }))
    };
    Ok(QueueRow {
        name: row.text("name")?,
        limits: QueueLimits {
            concurrency: limit("concurrency")?,
            per_executor: limit("per_executor")?,
            rate: rate("rate_count", "rate_period")?,
            partition_concurrency: limit("partition_concurrency")?,
            partition_rate: rate("partition_rate_count", "partition_rate_period")?,
        },
        paused: row.flag("paused")?,
        served: row.text("served")?,
        created_at: from_micros(row.int("created_at")?),
        updated_at: from_micros(row.int("updated_at")?),
    })
}

/// The queue, locked exclusively with `limited`, otherwise shared with other claimers.
pub(crate) async fn lock(tx: &mut Tx, name: &str, limited: bool) -> Result<Option<QueueRow>, Fault> {
    let sql = if limited { sql!("queues/lock") } else { sql!("queues/share") };
    tx.first(sql, &params![name]).await?.as_ref().map(queue).transpose()
}

/// The next place at the end of all queues, with room for 999 more places behind it.
pub(crate) async fn next_seq(tx: &mut Tx) -> Result<i64, Fault> {
    let row = tx.first(sql!("queues/next_seq", split), &[]).await?;
    row.ok_or_else(|| Fault::corrupt("table `queue_seq` has no row"))?.int("seq")
}

/// The queues with runs to claim, and whether each has limits; with `only`, just that queue.
pub(crate) async fn waiting(
    tx: &mut Tx,
    workflows: &Known,
    now: Timestamp,
    only: Option<&str>,
) -> Result<Vec<(String, bool)>, Fault> {
    let rows = tx.query(sql!("queues/waiting"), &params![workflows.claimable(), now, only]).await?;
    rows.iter().map(|row| queue(row).map(|queue| (queue.name, queue.limits.any()))).collect()
}

/// The queues with runs to claim, and when the next delayed run enters its queue.
pub(crate) async fn lines(tx: &mut Tx, workflows: &Known, now: Timestamp) -> Result<Lines, Fault> {
    let queues = waiting(tx, workflows, now, None).await?;
    let due = tx.first(sql!("queues/next_due"), &[]).await?;
    let due = due.map(|row| row.opt_int("ready_at")).transpose()?.flatten().map(from_micros);
    Ok(Lines { queues, due })
}

/// Move delayed runs that are due into their queues. Returns whether there may be more.
pub(crate) async fn line_up(tx: &mut Tx, now: Timestamp) -> Result<bool, Fault> {
    let seq = next_seq(tx).await?;
    Ok(tx.query(sql!("queues/line_up"), &params![now, seq, LINE_UP]).await?.len() == LINE_UP as usize)
}

/// An act on the limits of a queue.
#[derive(Clone, Debug)]
pub(crate) enum LimitAct {
    /// Code declares limits, in this executor or in a process without one.
    Declare(QueueChange, Option<ExecutorId>),
    /// An operator sets limits in place of the declared ones.
    Override(QueueChange, Attribution),
    /// The declared limits count again.
    ClearOverride,
}

impl LimitAct {
    /// Whether it creates a queue that does not exist.
    fn creates(&self) -> bool {
        !matches!(self, LimitAct::ClearOverride)
    }

    fn apply(&self, settings: &mut Settings, living: &BTreeSet<ExecutorId>, now: Timestamp) {
        match self {
            LimitAct::Declare(change, by) => settings.declare(change, by.as_ref(), living),
            LimitAct::Override(change, who) => settings.override_with(change, who, now),
            LimitAct::ClearOverride => settings.clear_override(),
        }
    }
}

/// Change the limits of a queue, and create it if need be.
pub(crate) async fn set(tx: &mut Tx, name: &str, act: &LimitAct, now: Timestamp) -> Result<QueueRecord, Fault> {
    let is_new = act.creates() && tx.execute(sql!("queues/create"), &params![name, now]).await? == 1;
    let row = tx.first(sql!("queues/settings"), &params![name]).await?.ok_or_else(|| unknown(name))?;
    let before = queue(&row)?;
    let found = Settings::of_row(&row, &before.limits)?;
    let mut settings = found.clone();
    act.apply(&mut settings, &living(tx).await?, now);
    if settings != found || settings.in_force() != before.limits {
        let is_seen = settings.in_force() != before.limits
            || (settings.declared(), settings.overridden()) != (found.declared(), found.overridden());
        write_limits(tx, name, &settings, if is_seen { now } else { before.updated_at }).await?;
    }
    if is_new || settings.in_force() != before.limits {
        tx.notify(&Signal::Ready);
        starts::limits_changed(tx, name, &settings.in_force(), now).await?;
    }
    info(tx, name).await
}

async fn write_limits(tx: &mut Tx, name: &str, settings: &Settings, at: Timestamp) -> Result<(), Fault> {
    let micros = |rate: Rate| i64::try_from(rate.period.as_micros()).unwrap_or(i64::MAX);
    let QueueLimits { concurrency, per_executor, rate, partition_concurrency, partition_rate } = settings.in_force();
    let (declared, overridden) = settings.written()?;
    let set = params![
        name,
        concurrency,
        per_executor,
        rate.map(|it| it.count),
        rate.map(micros),
        partition_concurrency,
        partition_rate.map(|it| it.count),
        partition_rate.map(micros),
        declared.as_str(),
        overridden.as_deref(),
        at,
    ];
    tx.execute(sql!("queues/set"), &set).await.map(drop)
}

/// Those of these declarations of an executor that would change something, because other executors came or went. A queue that was
/// deleted is not created again.
pub(crate) async fn due(
    tx: &mut Tx,
    declared: &[(String, QueueChange)],
    by: &ExecutorId,
    now: Timestamp,
) -> Result<Vec<(String, QueueChange)>, Fault> {
    let living = living(tx).await?;
    let mut due = Vec::new();
    for (name, change) in declared {
        let Some(row) = tx.first(sql!("queues/read"), &params![name.as_str()]).await? else { continue };
        let limits = queue(&row)?.limits;
        let found = Settings::of_row(&row, &limits)?;
        let mut settings = found.clone();
        LimitAct::Declare(*change, Some(by.clone())).apply(&mut settings, &living, now);
        if settings != found || settings.in_force() != limits {
            due.push((name.clone(), *change));
        }
    }
    Ok(due)
}

async fn living(tx: &mut Tx) -> Result<BTreeSet<ExecutorId>, Fault> {
    let rows = tx.query(sql!("executors/living"), &[]).await?;
    rows.iter().map(|row| Ok(ExecutorId::new(row.text("executor")?))).collect()
}

/// Pause or resume a queue. Returns whether it changed.
pub(crate) async fn steer(tx: &mut Tx, name: &str, steering: &Steering) -> Result<bool, Fault> {
    let (pause, text) = (steering.action == SteeringAction::Pause, steerings::written(steering)?);
    if tx.execute(sql!("queues/set_paused"), &params![name, pause, steering.at, text.as_str()]).await? == 0 {
        let row = tx.first(sql!("queues/read"), &params![name]).await?.ok_or_else(|| unknown(name))?;
        return steerings::is_last(&row, steering, "queues");
    }
    tx.notify(&Signal::Ready);
    Ok(true)
}

/// Delete a queue. Returns whether it existed.
pub(crate) async fn delete(tx: &mut Tx, name: &str) -> Result<bool, Fault> {
    Ok(tx.execute(sql!("queues/delete"), &params![name]).await? == 1)
}

/// The settings and the current state of a queue.
pub(crate) async fn info(tx: &mut Tx, name: &str) -> Result<QueueRecord, Fault> {
    let row = tx.first(sql!("queues/read"), &params![name]).await?.ok_or_else(|| unknown(name))?;
    with_depth(tx, &row).await
}

/// The settings and the current state of every queue.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<QueueRecord>, Fault> {
    let mut all = Vec::new();
    for row in tx.query(sql!("queues/list"), &[]).await? {
        all.push(with_depth(tx, &row).await?);
    }
    Ok(all)
}

async fn with_depth(tx: &mut Tx, row: &Row) -> Result<QueueRecord, Fault> {
    let (queue, steered) = (queue(row)?, steerings::of_row(row, "steered", "queues")?);
    let settings = Settings::of_row(row, &queue.limits)?;
    let row = tx.first(sql!("queues/depth"), &params![queue.name.as_str()]).await?;
    let row = row.ok_or_else(|| Fault::corrupt("a count gave no row"))?;
    let count = |column: &str| Ok::<_, Fault>(row.int(column)?.unsigned_abs());
    Ok(QueueRecord {
        name: queue.name,
        limits: queue.limits,
        declared: settings.declared(),
        overridden: settings.overridden(),
        paused: queue.paused,
        steered,
        created_at: queue.created_at,
        updated_at: queue.updated_at,
        delayed: count("delayed")?,
        waiting: count("waiting")?,
        running: count("running")?,
        oldest: row.opt_int("oldest")?.map(from_micros),
    })
}

fn unknown(name: &str) -> Fault {
    let message = format!("there is no queue `{name}`: create it first");
    Error::new(Code::UnknownQueue, message).into()
}

pub(crate) fn count(row: Option<Row>) -> Result<u32, Fault> {
    row.map_or(Ok(0), |row| row.count("n"))
}
