//! The run that a tick of a schedule starts.

use std::time::Duration;

use onward_store::{NewRun, Store};
use onward_types::{Error, Json, Origin, RunId, ScheduleRecord, Tick, Timestamp};

use super::{Plan, RunOptions};

/// How many missed ticks are caught up at once.
pub(crate) const TICKS_MAX: usize = 1_000;
/// A tick that fires later than this counts as missed.
pub(crate) const LATE: Duration = Duration::from_secs(60);

/// The run of a tick, created now for any executor to claim. Its id contains the schedule and the tick.
pub(crate) fn run_of_tick(
    store: &Store,
    schedule: &ScheduleRecord,
    due: Timestamp,
    previous: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewRun, Error> {
    let tick = Tick { schedule: schedule.id.clone(), due, previous, zone: schedule.zone.clone() };
    let options = RunOptions {
        id: Some(format!("{}@{due}", schedule.id)),
        version: schedule.version.clone(),
        ..schedule.options.clone()
    };
    let plan = Plan { workflow: schedule.workflow.clone(), input: Json::encode(&tick), options: options.into() };
    let run = plan.checked(store, None)?.run_at(now, store.clock(), None);
    Ok(NewRun { origin: Origin::Scheduled, ..run })
}

/// The id of the run that [`ScheduleHandle::trigger`](crate::ScheduleHandle::trigger) starts.
pub(crate) fn id_of_trigger(schedule: &str, now: Timestamp) -> Result<RunId, Error> {
    RunId::new(format!("{schedule}@trigger-{now}"))
}
