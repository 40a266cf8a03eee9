//! `onward schedules …`: shows and manages schedules.

use std::collections::BTreeMap;

use onward::Client;
use onward::client::ScheduleHandle;
use onward::records::{ScheduleRecord, Window};
use serde_json::json;

use crate::args::{Backfill, NewSchedule, ScheduleVerb, Schedules, SteerSchedule};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Schedules { common, verb }: Schedules) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    let of = |id: String| client.schedule_handle(id);
    match verb {
        ScheduleVerb::List => list(&client.schedules().await?, common.json)?,
        ScheduleVerb::Show(schedule) => show(&of(schedule.id).describe().await?, common.json)?,
        ScheduleVerb::Create(new) => create(&client, new, common.json).await?,
        ScheduleVerb::Pause(steer) => {
            let said = ["is paused", "was paused already"];
            self::steer(&client, steer, ScheduleHandle::pause, said, common.json).await?;
        }
        ScheduleVerb::Resume(steer) => {
            let said = ["is resumed", "was not paused"];
            self::steer(&client, steer, ScheduleHandle::resume, said, common.json).await?;
        }
        ScheduleVerb::Trigger(schedule) => {
            let run = of(schedule.id).trigger().await?;
            if common.json {
                output::json(&run.describe().await?)?;
            } else {
                output::say(format!("{} is started", run.id()))?;
            }
        }
        ScheduleVerb::Backfill(backfill) => self::backfill(&client, backfill, common.json).await?,
        ScheduleVerb::Delete(schedule) => {
            let schedule = of(schedule.id);
            schedule.delete().await?;
            if common.json {
                output::json(&json!({"schedule": schedule.id(), "deleted": true}))?;
            } else {
                output::say(format!("{} is deleted", schedule.id()))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn list(schedules: &[ScheduleRecord], json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&schedules);
    }
    if schedules.is_empty() {
        return output::say("no schedules");
    }
    let mut table = output::table(&["id", "workflow", "cron", "zone", "last", "next", "last run"]);
    for schedule in schedules {
        table.add_row([
            output::cell(&schedule.id),
            schedule.workflow.clone(),
            schedule.cron.clone(),
            schedule.zone.clone(),
            output::time_or_dash(schedule.last_tick),
            next(schedule),
            schedule.last_run.as_ref().map_or_else(output::dash, ToString::to_string),
        ]);
    }
    output::say(output::rows(&table))
}

fn next(schedule: &ScheduleRecord) -> String {
    if !schedule.paused {
        return output::time_or_dash(schedule.next_tick);
    }
    schedule.steered.as_ref().map_or_else(|| "paused".to_owned(), super::act)
}

fn show(schedule: &ScheduleRecord, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(schedule);
    }
    let options = &schedule.options;
    let mut facts = vec![
        ("id", schedule.id.clone()),
        ("workflow", output::workflow(&schedule.workflow, schedule.version.as_deref())),
        ("cron", schedule.cron.clone()),
        ("zone", schedule.zone.clone()),
        ("catch-up", schedule.catch_up.to_string()),
        ("overlap", schedule.overlap.to_string()),
        ("queue", options.queue.clone().unwrap_or_else(output::dash)),
        ("priority", options.priority.map_or_else(output::dash, |priority| priority.to_string())),
        ("timeout", options.timeout.map_or_else(output::dash, output::duration)),
        ("attributes", options.attributes.as_ref().map_or_else(output::dash, ToString::to_string)),
        ("created", output::time(schedule.created_at)),
        ("last", output::time_or_dash(schedule.last_tick)),
        ("last run", schedule.last_run.as_ref().map_or_else(output::dash, ToString::to_string)),
        ("steered", schedule.steered.as_ref().map_or_else(output::dash, super::act_with_time)),
        ("next", next(schedule)),
    ];
    facts.extend(schedule.upcoming.iter().map(|tick| ("ticks at", output::time(*tick))));
    let lines = facts.iter().map(|(name, fact)| format!("{name:<12}{}", output::cell(fact)));
    output::say(lines.collect::<Vec<_>>().join("\n"))
}

async fn create(client: &Client, new: NewSchedule, json: bool) -> Result<(), Failure> {
    let NewSchedule { workflow, cron, id, zone, catch_up, overlap, queue, priority, timeout, .. } = new;
    let NewSchedule { attempts, max_recoveries, attribute, .. } = new;
    let mut schedule = client.schedule_named(workflow, cron).zone(zone).catch_up(catch_up).overlap(overlap);
    if let Some(id) = id {
        schedule = schedule.id(id);
    }
    if let Some(queue) = queue {
        schedule = schedule.queue(queue);
    }
    if let Some(priority) = priority {
        schedule = schedule.priority(priority);
    }
    if let Some(timeout) = timeout {
        schedule = schedule.timeout(timeout);
    }
    if let Some(attempts) = attempts {
        schedule = schedule.attempts(attempts);
    }
    if let Some(most) = max_recoveries {
        schedule = schedule.max_recoveries(most);
    }
    if !attribute.is_empty() {
        schedule = schedule.attributes(BTreeMap::from_iter(attribute));
    }
    show(&schedule.await?.describe().await?, json)
}

/// Pauses or resumes a schedule, and says whether it changed.
async fn steer(
    client: &Client,
    SteerSchedule { schedule, signed }: SteerSchedule,
    act: fn(&ScheduleHandle) -> onward::client::SteerSchedule,
    [changed, unchanged]: [&str; 2],
    json: bool,
) -> Result<(), Failure> {
    let schedule = client.schedule_handle(schedule.id);
    let mut act = act(&schedule);
    if let Some(by) = signed.by {
        act = act.by(by);
    }
    if let Some(reason) = signed.reason {
        act = act.reason(reason);
    }
    let said = if act.await? { changed } else { unchanged };
    if json { output::json(&schedule.describe().await?) } else { output::say(format!("{} {said}", schedule.id())) }
}

async fn backfill(client: &Client, Backfill { id, from, until }: Backfill, json: bool) -> Result<(), Failure> {
    let started = client.schedule_handle(&id).backfill(Window { from: Some(from), until }).await?;
    if json {
        output::json(&json!({"schedule": id, "started": started}))
    } else {
        output::say(format!("{started} runs are started"))
    }
}
