//! Schedules: finds due ticks and fires each exactly once, however many executors poll.
//!
//! A tick is fired in one transaction: the schedule advances by compare-and-swap, and the runs are created. Their ids are
//! derived from the tick, so that not even a schedule that was deleted and created again starts a run twice.

use onward_types::{
    Attribution, CatchUp, Code, Error, Initiator, Json, Overlap, RunId, RunKey, RunOptions, ScheduleRecord, Steering,
    Timestamp, from_micros,
};

use super::action::Target;
use super::{cascade, executors, runs, steerings};
use crate::change::OPEN;
use crate::change::{Created, NewRun};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// A schedule to create, or the new definition of an existing one.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// Its id.
    pub id: String,
    /// The workflow to run.
    pub workflow: String,
    /// Its version; empty if it is open.
    pub version: String,
    /// The cron expression.
    pub cron: String,
    /// The time zone.
    pub zone: String,
    /// What to do about missed ticks.
    pub catch_up: CatchUp,
    /// What to do about a tick while the last run is open.
    pub overlap: Overlap,
    /// The time from which its ticks count.
    pub since: Timestamp,
    /// The first tick after that.
    pub next_tick: Option<Timestamp>,
    /// The options of its runs.
    pub options: RunOptions,
}

/// Due ticks to fire.
#[derive(Clone, Debug)]
pub struct Firing {
    /// The schedule.
    pub schedule: String,
    /// The time up to which ticks had been handled before.
    pub was: Timestamp,
    /// The time up to which ticks are handled now.
    pub until: Timestamp,
    /// The last of the ticks.
    pub last_tick: Option<Timestamp>,
    /// The first tick after them.
    pub next_tick: Option<Timestamp>,
    /// What to do about a tick while the last run is open.
    pub overlap: Overlap,
    /// The runs that the ticks start, in order.
    pub runs: Vec<NewRun>,
}

/// A schedule that is due, by its id. One that cannot be read keeps no other from its ticks.
pub type Due = (String, Result<ScheduleRecord, Error>);

pub(crate) async fn put(tx: &mut Tx, new: &NewSchedule) -> Result<(), Fault> {
    let NewSchedule { id, workflow, version, cron, zone, catch_up, overlap, since, next_tick, .. } = new;
    let (catch_up, overlap) = (catch_up.as_str(), overlap.as_str());
    let texts = [workflow, version, cron, zone].map(String::as_str);
    let [workflow, version, cron, zone] = texts;
    let times = params![*since, *next_tick];
    let runs = params![Json::encode(&new.options)?.to_string()];
    let new = params![id.as_str(), workflow, version, cron, zone, catch_up, overlap];
    tx.execute(sql!("schedules/put"), &[&new[..], &times, &runs].concat()).await?;
    Ok(())
}

pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<ScheduleRecord>, Fault> {
    tx.query(sql!("schedules/list"), &[]).await?.iter().map(record).collect()
}

pub(crate) async fn get(tx: &mut Tx, id: &str) -> Result<ScheduleRecord, Fault> {
    check_possible(id)?;
    let row = tx.first(sql!("schedules/get"), &params![id]).await?;
    row.as_ref().map(record).transpose()?.ok_or_else(|| unknown(id))
}

/// Schedules that have a tick that is due.
pub(crate) async fn due(tx: &mut Tx, now: Timestamp) -> Result<Vec<Due>, Fault> {
    let rows = tx.query(sql!("schedules/due"), &params![now]).await?;
    rows.iter().map(|row| Ok((row.text("id")?, record(row).map_err(|fault| fault.error)))).collect()
}

/// When the next tick of any schedule is due.
pub(crate) async fn next(tx: &mut Tx) -> Result<Option<Timestamp>, Fault> {
    let row = tx.first(sql!("schedules/next"), &[]).await?;
    Ok(row.map(|row| row.opt_int("next_tick")).transpose()?.flatten().map(from_micros))
}

/// Fire due ticks, unless another executor already did. Returns how many runs were started.
pub(crate) async fn fire(tx: &mut Tx, firing: &Firing, now: Timestamp) -> Result<usize, Fault> {
    let Firing { schedule, was, until, last_tick, next_tick, overlap, runs: new } = firing;
    super::impatient(tx).await?;
    let moved = params![schedule.as_str(), *was, *until, *last_tick, *next_tick, now];
    let Some(row) = tx.first(sql!("schedules/advance"), &moved).await? else { return Ok(0) };
    let mut last = row.opt_key("last_run")?;
    let before = last;
    let mut started = 0;
    for run in new {
        if let Some(last) = last
            && *overlap != Overlap::Allow
            && is_open(tx, last).await?
        {
            if *overlap == Overlap::Skip {
                free_the_way(tx, last, run, now).await?;
                continue;
            }
            cancel_for(tx, last, schedule, now).await?;
        }
        match runs::create(tx, run).await? {
            Created::New | Created::Waiting(_) => {
                started += 1;
                last = Some(run.key);
            }
            Created::Existing(existing) => last = Some(existing.key),
            // The run that has the dedup key may be another caller's: it is no run of this schedule.
            Created::Duplicate(_) => {}
        }
    }
    if last != before {
        tx.execute(sql!("schedules/set_last_run"), &params![schedule.as_str(), last]).await?;
    }
    Ok(started)
}

/// The last run blocks new ones until it has ended. If it has not begun and no executor has its version any more, it never
/// would. Then it moves to the schedule's current version. Its input is a tick, which fits any version.
async fn free_the_way(tx: &mut Tx, last: RunKey, next: &NewRun, now: Timestamp) -> Result<(), Fault> {
    let Some(waits) = tx.first(sql!("schedules/unbegun"), &params![last]).await? else { return Ok(()) };
    let (workflow, version) = (waits.text("workflow")?, waits.text("version")?);
    let is_same = workflow == next.workflow && version != OPEN && version != next.version_if(false);
    if is_same && !executors::is_known(&executors::known_workflows(tx).await?, &workflow, Some(&version)) {
        tx.execute(sql!("schedules/move_version"), &params![last, next.version_if(false), now]).await?;
        tx.notify(&Signal::Ready);
    }
    Ok(())
}

/// Cancel the last run of a schedule, because the next tick is due.
async fn cancel_for(tx: &mut Tx, last: RunKey, schedule: &str, now: Timestamp) -> Result<(), Fault> {
    if let Some(row) = tx.first(sql!("runs/to_steer_by_key"), &params![last]).await? {
        let by = Some(schedule.to_owned());
        let who = Attribution { initiator: Initiator::Schedule, by, ..Attribution::default() };
        cascade::cancel(tx, &Target::read(&row)?, &who, now).await?;
    }
    Ok(())
}

async fn is_open(tx: &mut Tx, run: RunKey) -> Result<bool, Fault> {
    Ok(runs::outcome(tx, run).await?.is_some_and(|run| !run.status.is_terminal()))
}

/// Create runs; a run whose id is taken is skipped. Returns how many are new.
pub(crate) async fn start(tx: &mut Tx, new: &[NewRun]) -> Result<usize, Fault> {
    let mut started = 0;
    for run in new {
        started += usize::from(runs::create(tx, run).await? == Created::New);
    }
    Ok(started)
}

/// A schedule that is paused stays as it is. Returns whether it changed.
pub(crate) async fn pause(tx: &mut Tx, id: &str, steering: &Steering) -> Result<bool, Fault> {
    check_possible(id)?;
    let text = steerings::written(steering)?;
    let paused = tx.execute(sql!("schedules/pause"), &params![id, steering.at, text.as_str()]).await?;
    Ok(paused > 0 || did(tx, id, steering).await?)
}

/// A schedule that is not paused stays as it is. Returns whether it changed.
pub(crate) async fn resume(
    tx: &mut Tx,
    id: &str,
    since: Timestamp,
    next: Option<Timestamp>,
    steering: &Steering,
) -> Result<bool, Fault> {
    check_possible(id)?;
    let text = steerings::written(steering)?;
    let resumed = tx.execute(sql!("schedules/resume"), &params![id, since, next, text.as_str()]).await?;
    Ok(resumed > 0 || did(tx, id, steering).await?)
}

/// Whether a schedule that did not change has changed by this very act before.
async fn did(tx: &mut Tx, id: &str, steering: &Steering) -> Result<bool, Fault> {
    let row = tx.first(sql!("schedules/get"), &params![id]).await?.ok_or_else(|| unknown(id))?;
    steerings::is_last(&row, steering, "schedules")
}

pub(crate) async fn delete(tx: &mut Tx, id: &str) -> Result<(), Fault> {
    check_possible(id)?;
    let deleted = tx.execute(sql!("schedules/delete"), &params![id]).await?;
    if deleted == 0 { Err(unknown(id)) } else { Ok(()) }
}

fn record(row: &Row) -> Result<ScheduleRecord, Fault> {
    let time = |column: &str| Ok::<_, Fault>(row.opt_int(column)?.map(from_micros));
    Ok(ScheduleRecord {
        id: row.text("id")?,
        workflow: row.text("workflow")?,
        version: Some(row.text("version")?).filter(|version| version != OPEN),
        cron: row.text("cron")?,
        zone: row.text("zone")?,
        catch_up: row.text("catch_up")?.parse()?,
        overlap: row.text("overlap")?.parse()?,
        paused: row.flag("paused")?,
        steered: steerings::of_row(row, "steered", "schedules")?,
        done_until: from_micros(row.int("done_until")?),
        last_tick: time("last_tick")?,
        next_tick: time("next_tick")?,
        last_run: row.opt_text("last_run_id")?.map(RunId::recorded),
        created_at: from_micros(row.int("created_at")?),
        upcoming: Vec::new(),
        options: options(row)?,
    })
}

fn options(row: &Row) -> Result<RunOptions, Fault> {
    let corrupt = |error| {
        let id = row.text("id").unwrap_or_default();
        Fault::corrupt(format!("column `options` of schedule {id:?} in `schedules`: {error}"))
    };
    Json::from(row.text("options")?).decode().map_err(corrupt)
}

/// A schedule id cannot contain a NUL, and PostgreSQL cannot even look one up.
fn check_possible(id: &str) -> Result<(), Fault> {
    if id.contains('\0') { Err(unknown(id)) } else { Ok(()) }
}

fn unknown(id: &str) -> Fault {
    Error::new(Code::UnknownSchedule, format!("no schedule has the id `{id}`")).into()
}
