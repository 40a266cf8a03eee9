//! Starts a run for each due tick of a schedule. Every executor does so; only the first to advance the schedule starts the
//! runs.

use std::sync::Arc;

use onward_store::Firing;
use onward_types::{CatchUp, Error, ScheduleRecord, Timestamp};

use super::{SWEEP, note, nothing_to};
use crate::cron::Cron;
use crate::executor::Executor;
use crate::plan::{LATE, TICKS_MAX, run_of_tick};

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
        let looked = if executor.is_draining() {
            None
        } else {
            note(&executor, "scheduler", "look", executor.store.next_tick().await)
        };
        let next = looked.flatten();
        if next.is_some_and(|tick| tick <= clock.now()) {
            if fire_due(&executor).await {
                continue;
            }
        } else if looked.is_some() {
            nothing_to(&executor, "scheduler", "read");
            executor.keep_trouble("schedule", |_| false);
        }
        // Other processes may define schedules at any time.
        let sweep = onward_store::add(clock.now(), SWEEP);
        let next = next.filter(|tick| *tick > clock.now());
        clock.rest_until(next.map_or(sweep, |tick| tick.min(sweep)), next).await;
    }
}

/// Fires every due tick. Returns whether a schedule was advanced. A schedule that is locked or cannot be parsed does not delay
/// others.
async fn fire_due(executor: &Executor) -> bool {
    let Some(due) = note(executor, "scheduler", "read", executor.store.due_schedules().await) else { return false };
    executor.keep_trouble("schedule", |id| due.iter().any(|(due, _)| due == id));
    let mut moved = false;
    // A schedule that is done beyond `now` was advanced by a clock that is ahead of this one.
    let now = executor.store.clock().now();
    let is_new = |schedule: &Result<ScheduleRecord, Error>| schedule.as_ref().map_or(true, |it| it.done_until < now);
    for (id, schedule) in due.into_iter().filter(|(_, schedule)| is_new(schedule)) {
        let fired = match schedule.and_then(|schedule| firing(executor, &schedule)) {
            Ok(firing) => executor.store.fire(firing).await.map(drop),
            // A newer version of Onward may have defined it.
            Err(error) => Err(error),
        };
        let fired = fired.map_err(|error| {
            let message = format!("schedule `{id}` cannot start its runs: {}", error.message());
            Error::new(error.kind(), message)
        });
        moved |= note(executor, "schedule", id, fired).is_some();
    }
    moved
}

/// What the ticks of a schedule up to now start.
fn firing(executor: &Executor, schedule: &ScheduleRecord) -> Result<Firing, Error> {
    let clock = executor.store.clock();
    let now = clock.now();
    let cron = Cron::new(&schedule.cron, &schedule.zone)?;
    let most = if schedule.catch_up == CatchUp::All { TICKS_MAX } else { 1 };
    let ticks = cron.last(schedule.done_until, now, most);
    let last_tick = ticks.last().copied();
    let is_meant = |tick: &Timestamp| schedule.catch_up != CatchUp::Skip || onward_store::add(*tick, LATE) >= now;
    let mut runs = Vec::new();
    let mut previous = schedule.last_tick;
    for due in ticks.into_iter().filter(is_meant) {
        runs.push(run_of_tick(&executor.store, schedule, due, previous, now)?);
        previous = Some(due);
    }
    Ok(Firing {
        schedule: schedule.id.clone(),
        was: schedule.done_until,
        until: now,
        last_tick,
        next_tick: cron.next(now),
        overlap: schedule.overlap,
        runs,
    })
}
