//! Schedules: once per tick, however many executors there are, whatever dies, and whatever the clocks do.

use onward::client::ScheduleHandle;
use onward::prelude::*;
use onward::records::{CatchUp, Overlap, Window};
use onward::{Filter, RunOptions, Tick};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};
use crate::outages::execute;

#[onward::workflow]
async fn report(ctx: &Ctx, tick: Tick) -> Result<Tick> {
    let log = ctx.state::<Log>();
    ctx.step("report", async || Ok(log.ran(&format!("{}@{}", tick.schedule, tick.due)))).await?;
    Ok(tick)
}

#[onward::workflow]
async fn endless(ctx: &Ctx, _tick: Tick) -> Result<()> {
    Ok(ctx.sleep(days(3_000)).await?)
}

/// The runs that a schedule started, oldest first, each as its tick and its state.
async fn runs_of(house: &House, schedule: &str) -> Vec<(String, Status)> {
    let prefix = format!("{schedule}@");
    let filter = onward::Filter { id_prefix: Some(prefix.clone()), oldest_first: true, ..Default::default() };
    let runs = house.onward.list(filter).await.unwrap().items;
    let tick = |id: &str| id.strip_prefix(&prefix).unwrap().to_owned();
    let mut runs: Vec<_> = runs.iter().map(|run| (tick(run.id.as_str()), run.status)).collect();
    runs.sort_by(|one, other| one.0.cmp(&other.0));
    runs
}

async fn ticks_of(house: &House, schedule: &str) -> Vec<String> {
    runs_of(house, schedule).await.into_iter().map(|(tick, _)| tick).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The executor is away for so long, and comes back.
async fn away_for(house: &mut House, time: std::time::Duration) {
    house.onward.shutdown(secs(1)).await.unwrap();
    house.clock.advance(time);
    house.lose_executor().await;
}

#[on_every_database]
async fn each_tick_starts_one_run_through_crashes_and_with_several_executors(db: TestDatabase) {
    let mut house = House::open(db.clone(), |b| b.workflow::<report>()).await;
    let other = Onward::open(db.url.clone()).clock(house.clock.clone()).state(house.log.clone()).workflow::<report>();
    // A SQLite file has one executor.
    let other = if db.is_postgres() { Some(other.launch().await.unwrap()) } else { None };
    house.onward.schedule::<report>("*/10 * * * * *").catch_up(CatchUp::All).await.unwrap();
    house.until("some ticks came", async || ticks_of(&house, "report").await.len() > 3).await;
    drop(other);
    house.lose_executor().await;
    let before = ticks_of(&house, "report").await.len();
    house.until("more came", async || ticks_of(&house, "report").await.len() > before + 3).await;
    let all_ended = async || runs_of(&house, "report").await.iter().all(|(_, status)| *status == Status::Succeeded);
    house.onward.schedule_handle("report").pause().await.unwrap();
    house.until("all ended", all_ended).await;
    let ticks = ticks_of(&house, "report").await;
    for (count, tick) in (1..).zip(&ticks) {
        let expected = at("2026-01-01T00:00:00Z") + secs(10 * count);
        assert_eq!(at(tick), expected, "no tick is left out: {ticks:?}");
        assert_eq!(house.log.count(&format!("report@{tick}")), 1);
    }
    let second: Tick = house.onward.handle::<report>("report@2026-01-01T00:00:20Z").result().await.unwrap();
    let expected = Tick {
        schedule: "report".into(),
        due: at("2026-01-01T00:00:20Z"),
        previous: Some(at("2026-01-01T00:00:10Z")),
        zone: "UTC".into(),
    };
    assert_eq!(second, expected);
}

#[on_every_database]
async fn ticks_that_nobody_was_there_for_are_caught_up_with_as_was_asked_for(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<report>()).await;
    for (id, catch_up) in [("latest", CatchUp::Latest), ("all", CatchUp::All), ("skip", CatchUp::Skip)] {
        house.onward.schedule::<report>("0 * * * *").id(id).catch_up(catch_up).await.unwrap();
    }
    away_for(&mut house, hours(3) + mins(30)).await;
    let all_dealt_with = async || {
        let schedules = house.onward.schedules().await.unwrap();
        schedules.iter().all(|schedule| schedule.last_tick == Some(at("2026-01-01T03:00:00Z")))
    };
    house.until("all are dealt with", all_dealt_with).await;
    assert_eq!(ticks_of(&house, "latest").await, ["2026-01-01T03:00:00Z"]);
    let all = ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"];
    assert_eq!(ticks_of(&house, "all").await, all);
    assert!(ticks_of(&house, "skip").await.is_empty());
    house.pass(mins(28)).await;
    house.until("the next tick comes", async || ticks_of(&house, "skip").await == ["2026-01-01T04:00:00Z"]).await;
}

#[on_every_database]
async fn each_tick_that_is_caught_up_with_knows_the_one_before_it(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<report>()).await;
    house.onward.schedule::<report>("0 * * * *").catch_up(CatchUp::All).await.unwrap();
    away_for(&mut house, hours(3) + mins(30)).await;
    let tick = |hour: u32| at(&format!("2026-01-01T0{hour}:00:00Z"));
    let run = |hour: u32| house.onward.handle_named(format!("report@{}", tick(hour)));
    house.until("the last one is there", async || run(3).status().await.is_ok()).await;
    for (hour, previous) in [(1, None), (2, Some(tick(1))), (3, Some(tick(2)))] {
        let said: Tick = run(hour).describe().await.unwrap().input.as_ref().unwrap().decode().unwrap();
        assert_eq!((said.due, said.previous), (tick(hour), previous));
    }
}

#[on_every_database]
async fn a_tick_while_the_last_run_goes_on_does_what_was_asked_for(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<endless>()).await;
    for (id, overlap) in [("allow", Overlap::Allow), ("skip", Overlap::Skip), ("cancel", Overlap::Cancel)] {
        let schedule = house.onward.schedule::<endless>("*/30 * * * * *").id(id);
        schedule.overlap(overlap).catch_up(CatchUp::All).await.unwrap();
    }
    house.until("some ticks came", async || runs_of(&house, "allow").await.len() >= 4).await;
    house.until("they came to all", async || runs_of(&house, "cancel").await.len() >= 4).await;
    for schedule in house.onward.schedules().await.unwrap() {
        house.onward.schedule_handle(schedule.id).pause().await.unwrap();
    }
    let allowed = runs_of(&house, "allow").await;
    assert!(allowed.iter().all(|(_, status)| !status.is_terminal()), "{allowed:?}");
    assert_eq!(ticks_of(&house, "skip").await, ["2026-01-01T00:00:30Z"]);
    let cancelled = runs_of(&house, "cancel").await;
    let (last, before) = cancelled.split_last().unwrap();
    assert!(before.iter().all(|(_, status)| *status == Status::Cancelled), "{cancelled:?}");
    assert!(!last.1.is_terminal(), "{cancelled:?}");
    let said = house.onward.handle_named(format!("cancel@{}", before[0].0)).describe().await.unwrap().reason;
    assert!(said.contains("the next tick of its schedule"), "{said}");

    house.onward.handle_named("skip@2026-01-01T00:00:30Z").cancel().await.unwrap();
    house.onward.schedule_handle("skip").resume().await.unwrap();
    house.until("the next one is not left out", async || runs_of(&house, "skip").await.len() == 2).await;
}

#[on_every_database]
async fn a_schedule_goes_by_the_clocks_of_its_zone_when_they_are_set(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    let night = house.onward.schedule::<report>("30 2 * * *").zone("Europe/Zurich").id("night").await.unwrap();
    let upcoming = night.describe().await.unwrap().upcoming;
    let expected: Vec<Timestamp> = (1..=5).map(|day| at(&format!("2026-01-0{day}T01:30:00Z"))).collect();
    assert_eq!(upcoming, expected);
    let spring = Window { from: Some(at("2026-03-28T00:00:00Z")), until: Some(at("2026-03-31T00:00:00Z")) };
    assert_eq!(night.backfill(spring).await.unwrap(), 3);
    let autumn = Window { from: Some(at("2026-10-25T00:00:00Z")), until: Some(at("2026-10-26T00:00:00Z")) };
    assert_eq!(night.backfill(autumn).await.unwrap(), 1);
    let spring = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    let ticks = ticks_of(&house, "night").await;
    assert_eq!(ticks[..3], spring, "in the gap: once, at its end");
    assert_eq!(ticks[3..], ["2026-10-25T00:30:00Z"], "of two: the first");
}

#[on_every_database]
async fn a_paused_schedule_starts_nothing_but_what_is_triggered_or_backfilled(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    let daily: ScheduleHandle = house.onward.schedule::<report>("@daily").id("daily").await.unwrap();
    daily.pause().await.unwrap();
    house.pass(days(3)).await;
    let triggered = daily.trigger().await.unwrap();
    assert!(triggered.id().starts_with("daily@trigger-2026-01-04T00:00:00"), "{}", triggered.id());
    house.done(triggered.result()).await.unwrap();
    assert_eq!(ticks_of(&house, "daily").await.len(), 1, "nothing but the trigger");

    let two_days = Window { from: Some(at("2026-01-02T00:00:00Z")), until: Some(at("2026-01-04T00:00:00Z")) };
    assert_eq!(daily.backfill(two_days).await.unwrap(), 2);
    assert_eq!(daily.backfill(two_days).await.unwrap(), 0, "a tick has one run");
    let ticks = ticks_of(&house, "daily").await;
    assert_eq!(ticks[..2], ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]);
    assert!(daily.describe().await.unwrap().paused);

    daily.resume().await.unwrap();
    let next = daily.describe().await.unwrap().next_tick.unwrap();
    assert!(next > house.clock.now(), "what it missed is not made up for");
    house.clock.advance(days(1));
    house.until("it ticks again", async || ticks_of(&house, "daily").await.len() == 4).await;
    daily.delete().await.unwrap();
    house.pass(days(2)).await;
    house.pass(secs(5)).await;
    assert_eq!(ticks_of(&house, "daily").await.len(), 4, "the runs of a schedule that was deleted stay");
    assert!(house.onward.schedules().await.unwrap().is_empty());
}

#[on_every_database]
async fn a_schedule_may_be_defined_again_each_time_the_program_starts(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<report>()).await;
    let hourly = house.onward.schedule::<report>("@hourly").id("s").await.unwrap();
    let before = hourly.describe().await.unwrap();
    away_for(&mut house, mins(90)).await;
    house.onward.schedule::<report>("@hourly").id("s").overlap(Overlap::Skip).await.unwrap();
    house.until("what was missed counts", async || ticks_of(&house, "s").await == ["2026-01-01T01:00:00Z"]).await;
    let same = house.onward.schedule_handle("s").describe().await.unwrap();
    assert_eq!((same.created_at, same.overlap), (before.created_at, Overlap::Skip));

    house.onward.schedule_handle("s").pause().await.unwrap();
    house.pass(secs(1)).await;
    let other = house.onward.schedule::<report>("*/7 * * * *").id("s").await.unwrap().describe().await.unwrap();
    assert!(other.paused, "a person has paused it, and a program that starts does not know why");
    assert!(other.done_until > same.done_until && other.next_tick > Some(other.done_until));
}

#[on_every_database]
async fn what_cannot_be_a_schedule_is_refused_and_an_unknown_one_is_an_error(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    let schedule = |cron: &str| house.onward.schedule::<report>(cron);
    for (refused, why) in [
        (schedule("0 25 * * *").await, "it goes from 0 to 23"),
        (schedule("@daily").zone("Mars/Olympus").await, "no time zone"),
        (schedule("@daily").id("a@b").await, "choose a name without it"),
        (schedule("@daily").id("a".repeat(500)).await, "give it at most 400"),
        (house.onward.schedule_named("nobody", "@daily").await, "does not have workflow `nobody`"),
    ] {
        let error = refused.unwrap_err();
        assert!(error.message().contains(why), "{error}");
    }
    assert!(house.onward.schedules().await.unwrap().is_empty());
    let seconds = schedule("* * * * * *").id("seconds").await.unwrap();
    let hour = Window { from: Some(at("2026-01-01T00:00:00Z")), until: Some(at("2026-01-01T01:00:00Z")) };
    assert_eq!(seconds.backfill(hour).await.unwrap_err().code(), "invalid");
    let nobody = house.onward.schedule_handle("nobody");
    for error in [
        nobody.describe().await.unwrap_err(),
        nobody.pause().await.unwrap_err(),
        nobody.resume().await.unwrap_err(),
        nobody.trigger().await.unwrap_err(),
        nobody.backfill(hour).await.unwrap_err(),
        nobody.delete().await.unwrap_err(),
    ] {
        assert_eq!((error.code(), error.message()), ("unknown_schedule", "no schedule has the id `nobody`"));
    }
}

#[on_every_database]
async fn the_runs_of_a_schedule_wait_in_its_queue_and_have_what_it_says(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(report, endless)>()).await;
    house.onward.queue("nightly").concurrency(1).await.unwrap();
    house.onward.queue("nightly").pause().await.unwrap();
    let hourly = house.onward.schedule::<report>("@hourly").queue("nightly").priority(7).timeout(mins(90));
    let hourly = hourly.attributes(serde_json::json!({"team": "blue"})).await.unwrap();
    let said = hourly.describe().await.unwrap();
    let said = said.options;
    assert_eq!((said.queue.as_deref(), said.priority, said.timeout), (Some("nightly"), Some(7), Some(mins(90))));
    house.lose_executor().await;
    house.pass(hours(1)).await;
    let tick = house.onward.handle::<report>("report@2026-01-01T01:00:00Z");
    house.until("the tick came", async || tick.status().await.is_ok()).await;
    let triggered = house.onward.schedule_handle("report").trigger().await.unwrap();
    assert_eq!(house.onward.schedule_handle("report").describe().await.unwrap().last_run.unwrap().as_str(), tick.id());
    let of_it = Filter { id_prefix: Some("report@".into()), ..Filter::default() };
    assert!(house.onward.list(of_it).await.unwrap().items.iter().any(|run| run.id.as_str() == tick.id()));
    let two = Window { from: Some(at("2025-12-31T00:00:00Z")), until: Some(at("2025-12-31T02:00:00Z")) };
    assert_eq!(house.onward.schedule_handle("report").backfill(two).await.unwrap(), 2);
    for id in ["report@2026-01-01T01:00:00Z", triggered.id(), "report@2025-12-31T01:00:00Z"] {
        let run = house.onward.handle_named(id).describe().await.unwrap();
        assert_eq!((run.status, run.queue.as_deref(), run.priority), (Status::Enqueued, Some("nightly"), 7), "{id}");
        assert_eq!((run.timeout, run.attributes.unwrap().as_str()), (Some(mins(90)), r#"{"team":"blue"}"#));
        assert_eq!(run.deadline, None, "the time in the queue does not count");
    }
    house.onward.queue("nightly").resume().await.unwrap();
    house.until("it runs", async || tick.status().await.unwrap() == Status::Succeeded).await;

    // Defined again, it says nothing of a queue any more.
    house.onward.schedule::<report>("@hourly").await.unwrap();
    let plain = house.onward.schedule_handle("report").describe().await.unwrap();
    assert_eq!(plain.options, RunOptions::default());
}

#[on_every_database]
async fn a_run_of_a_schedule_that_takes_too_long_is_cancelled(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<endless>()).await;
    house.onward.schedule::<endless>("@daily").timeout(mins(5)).await.unwrap();
    let run = house.onward.schedule_handle("endless").trigger().await.unwrap();
    house.until("it is cancelled", async || run.status().await.unwrap() == Status::Cancelled).await;
    let ran = run.describe().await.unwrap();
    assert!(ran.finished_at.unwrap().duration_since(ran.started_at.unwrap()).as_secs() >= 300, "{}", ran.reason);
}

#[on_every_database]
async fn what_a_schedule_says_of_its_runs_is_checked_when_it_is_defined(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    let schedule = || house.onward.schedule::<report>("@daily");
    for (refused, why) in [
        (schedule().priority(3), "name the queue"),
        (schedule().queue("q").priority(0), "priority 0 is not"),
        (schedule().queue(""), "queue's name"),
        (schedule().attributes(17), "a JSON object"),
    ] {
        let error = refused.await.unwrap_err();
        assert!(error.code() == "invalid" && error.message().contains(why), "{error}");
    }
    assert!(house.onward.schedules().await.unwrap().is_empty());
    // Who serves the queue has to have the workflow; who defines the schedule has not.
    let elsewhere = house.onward.schedule_named("elsewhere", "@daily").queue("q").await.unwrap();
    assert_eq!(elsewhere.describe().await.unwrap().version, None);
    let secret = house.onward.schedule_named("elsewhere", "@daily").queue("q");
    secret.attributes(serde_json::json!({"password": "x"})).await.unwrap();
    let masked = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap().mask(["password"]);
    assert_eq!(
        masked.schedules().await.unwrap()[0].options.attributes.as_ref().unwrap().as_str(),
        r#"{"password":"***"}"#
    );
}

#[on_every_database]
async fn a_schedule_that_cannot_be_read_stops_no_other_and_can_be_deleted(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    for id in ["broken", "plain"] {
        house.onward.schedule::<report>("@hourly").id(id).await.unwrap();
    }
    // What another version of Onward may have written.
    execute(&house.db, r#"update schedules set options = '{"priority":"high"}' where id = 'broken'"#).await;
    house.clock.advance(hours(1));
    let plain = house.onward.handle::<report>("plain@2026-01-01T01:00:00Z");
    house.until("its tick came", async || plain.status().await.is_ok_and(Status::is_terminal)).await;
    let named = async || house.onward.trouble().iter().any(|trouble| trouble.message.contains("`broken`"));
    house.until("the broken one is named", named).await;
    house.onward.schedule_handle("broken").delete().await.unwrap();
    house.until("nothing is wrong any more", async || house.onward.trouble().is_empty()).await;
}
