//! A schedule that ticks each second: every tick has one run, whatever died in between.

use std::collections::BTreeSet;

use onward::client::ScheduleHandle;
use onward::records::CatchUp;
use onward::{Client, Filter, Result, Status, Tick, Timestamp};
use onward_testkit::crash::tick;

use crate::insist::insist;
use crate::verify::Part;

const SCHEDULE: &str = "ticks";

pub(crate) async fn define(client: &Client) -> Result<()> {
    client.schedule::<tick>("* * * * * *").id(SCHEDULE).catch_up(CatchUp::All).await?;
    Ok(())
}

/// Let the ticks up to now be dealt with, and no more come.
pub(crate) async fn stop(client: &Client) -> Result<()> {
    let (schedule, now) = (schedule(client), Timestamp::now());
    while insist(|| schedule.describe()).await?.done_until < now {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    insist(|| schedule.pause()).await?;
    Ok(())
}

pub(crate) async fn verify(client: &Client) -> Result<Part> {
    let record = schedule(client).describe().await?;
    let first = record.created_at.as_second() + 1;
    let last = record.last_tick.map_or(first - 1, Timestamp::as_second);
    let mut due: BTreeSet<i64> = (first..=last).collect();
    let mut part = Part::default();
    let mut filter = Filter { id_prefix: Some(format!("{SCHEDULE}@")), limit: Some(500), ..Filter::default() };
    loop {
        let page = client.list(filter.clone()).await?;
        for run in page.items {
            let tick: Tick = run.input.as_ref().ok_or("a list without inputs")?.decode()?;
            let second = tick.due.as_second();
            let output = run.output.as_ref().and_then(|output| output.decode::<u64>().ok());
            let as_due = run.id.as_str() == format!("{SCHEDULE}@{}", tick.due)
                && due.remove(&second)
                && tick.previous.is_none_or(|previous| previous.as_second() == second - 1)
                && (run.status, output) == (Status::Succeeded, Some(second.unsigned_abs()));
            if !as_due {
                part.violations.push(format!("a tick of {first} to {last} went wrong: {run:?}"));
            }
        }
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    if !due.is_empty() {
        part.violations.push(format!("of the ticks {first} to {last} these started no run: {due:?}"));
    }
    part.told = format!("{} ticks", last + 1 - first);
    Ok(part)
}

fn schedule(client: &Client) -> ScheduleHandle {
    client.schedule_handle(SCHEDULE)
}
