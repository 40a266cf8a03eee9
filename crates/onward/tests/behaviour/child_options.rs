//! Children and the runs of schedules have every option that a run can have.

use std::time::Duration;

use onward::prelude::*;
use onward::records::{Identity, Overlap, Window};
use onward::{RunOptions, Tick};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn leaf(_ctx: &Ctx, n: u32) -> Result<u32> {
    Ok(n + 1)
}

#[onward::workflow]
async fn naps(ctx: &Ctx, n: u32) -> Result<u32> {
    ctx.sleep(hours(1)).await?;
    Ok(n)
}

#[onward::workflow]
async fn equipped(ctx: &Ctx) -> Result<u32> {
    let child = ctx.run::<leaf>(1).id("child").queue("q").priority(4).partition("acme").dedup("only").timeout(mins(9));
    let child = child.max_recoveries(2).attributes(serde_json::json!({"team": "blue"})).assumed_role("clerk");
    Ok(child.await?)
}

#[on_every_database]
async fn a_child_has_every_option_and_inherits_on_whose_behalf_it_works(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(equipped, leaf)>()).await;
    house.onward.queue("q").await.unwrap();
    let parent = house.onward.start::<equipped>(()).id("parent").authenticated_as("ada", ["admin"]);
    let parent = parent.class("Shop", None).await.unwrap();
    // No leaps: the child has nine minutes.
    house.until("it has ended", async || parent.status().await.unwrap().is_terminal()).await;
    assert_eq!(parent.result().await.unwrap(), 2);
    let child = house.onward.handle_named("child").describe().await.unwrap();
    assert_eq!((child.queue.as_deref(), child.priority, child.partition.as_deref()), (Some("q"), 4, Some("acme")));
    assert_eq!((child.dedup.as_deref(), child.timeout, child.max_recoveries), (Some("only"), Some(mins(9)), Some(2)));
    assert_eq!(child.attributes.unwrap().as_str(), r#"{"team":"blue"}"#);
    assert_eq!(child.parent.unwrap().as_str(), "parent");
    let identity = Identity {
        user: Some("ada".into()),
        roles: vec!["admin".into()],
        role: Some("clerk".into()),
        ..Identity::default()
    };
    assert_eq!(child.identity, identity, "a class is that of one workflow");
}

#[onward::workflow]
async fn patient(ctx: &Ctx) -> Result<(u32, bool)> {
    let before = ctx.now().await?;
    let n = ctx.run::<leaf>(1).id("late").delay(mins(30)).await?;
    let waited = ctx.now().await?.duration_since(before);
    Ok((n, waited.as_secs() >= 30 * 60))
}

#[on_every_database]
async fn a_child_may_start_later(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(patient, leaf)>()).await;
    house.onward.start::<patient>(()).id("parent").await.unwrap();
    let child = house.onward.handle_named("late");
    house.until("the child is there", async || child.status().await.is_ok()).await;
    assert_eq!(child.status().await.unwrap(), Status::Delayed);
    house.lose_executor().await;
    let parent = house.onward.handle::<patient>("parent");
    assert_eq!(house.done(parent.result()).await.unwrap(), (2, true));
}

#[onward::workflow]
async fn wants_the_only_one(ctx: &Ctx, or_existing: bool) -> Result<String> {
    let child = ctx.start::<naps>(7).queue("q");
    let child = if or_existing { child.dedup_or_existing("d") } else { child.dedup("d") };
    match child.await {
        Ok(child) => Ok(format!("{} {}", child.id(), child.result(ctx).await?)),
        Err(error) => Ok(format!("{}: {}", error.code(), error.message())),
    }
}

#[on_every_database]
async fn a_child_whose_dedup_is_taken_is_refused_or_the_run_that_has_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(wants_the_only_one, naps)>()).await;
    house.onward.queue("q").await.unwrap();
    house.onward.start::<naps>(7).id("holder").queue("q").dedup("d").await.unwrap();
    let refused = house.onward.start::<wants_the_only_one>(false).id("refused").await.unwrap();
    let shares = house.onward.start::<wants_the_only_one>(true).id("shares").await.unwrap();
    let refused = house.done(refused.result()).await.unwrap();
    assert!(refused.starts_with("deduplicated: ") && refused.contains("holder"), "{refused}");
    assert_eq!(house.done(shares.result()).await.unwrap(), "holder 7");
    let holder = house.onward.handle_named("holder").describe().await.unwrap();
    assert_eq!(holder.parent, None, "it stays what it was");
}

#[onward::workflow]
async fn two_of_one_dedup(ctx: &Ctx) -> Result<Vec<String>> {
    let child = |n| ctx.start::<naps>(n).queue("q").dedup_or_existing("d");
    let (one, other) = (child(1).await?, child(2).await?);
    Ok(vec![one.id().to_owned(), other.id().to_owned()])
}

#[on_every_database]
async fn two_children_of_one_dedup_are_one_run_also_after_a_crash(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(two_of_one_dedup, naps)>()).await;
    house.onward.queue("q").await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let parent = house.onward.start::<two_of_one_dedup>(()).id("parent").await.unwrap();
    house.until("a child is there", async || !parent.children().await.unwrap().is_empty()).await;
    house.lose_executor().await;
    let parent = house.onward.handle::<two_of_one_dedup>("parent");
    house.until("it has ended", async || parent.status().await.unwrap().is_terminal()).await;
    let ids = parent.result().await.unwrap();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(parent.children().await.unwrap().len(), 1);
}

#[onward::workflow]
async fn tick(_ctx: &Ctx, _tick: Tick) -> Result<()> {
    Ok(())
}

#[on_every_database]
async fn the_runs_of_a_schedule_have_every_option(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tick>()).await;
    house.onward.queue("q").partition_concurrency(1).await.unwrap();
    let schedule = house.onward.schedule::<tick>("@hourly").id("s").queue("q").partition("acme").dedup("one");
    let schedule = schedule.max_recoveries(3).authenticated_as("ada", ["admin"]).delay(mins(5)).await.unwrap();
    let options = schedule.describe().await.unwrap().options;
    assert_eq!((options.partition.as_deref(), options.dedup.as_deref()), (Some("acme"), Some("one")));
    let run = schedule.trigger().await.unwrap();
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.queue.as_deref()), (Status::Delayed, Some("q")));
    assert_eq!((record.partition.as_deref(), record.dedup.as_deref()), (Some("acme"), Some("one")));
    assert_eq!((record.max_recoveries, record.identity.user.as_deref()), (Some(3), Some("ada")));
    house.until("it has ended", async || run.status().await.unwrap() == Status::Succeeded).await;

    let own_id = RunOptions { id: Some("mine".into()), ..RunOptions::default() };
    let refused = house.onward.schedule::<tick>("@hourly").options(own_id).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("leave the id out"), "{refused}");
}

#[on_every_database]
async fn the_runs_of_a_schedule_are_no_strangers(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(tick, naps)>()).await;
    house.onward.queue("q").await.unwrap();
    let stranger = house.onward.start::<naps>(1).id("stranger").queue("q").dedup("d").delay(days(30)).await.unwrap();
    let schedule = house.onward.schedule::<tick>("@hourly").id("s").queue("q").dedup("d");
    let schedule = schedule.overlap(Overlap::Cancel).await.unwrap();
    for _ in 0..2 {
        house.pass(hours(1)).await;
        let fired = house.clock.now();
        let has_fired = async || schedule.describe().await.unwrap().done_until >= fired;
        house.until("the tick was fired", has_fired).await;
    }
    assert_eq!(stranger.status().await.unwrap(), Status::Delayed, "it is not cancelled as the run of the last tick");
    assert_eq!(schedule.describe().await.unwrap().last_run, None);
    let refused = schedule.trigger().await.unwrap_err();
    assert!(refused.is_deduplicated() && refused.message().contains("stranger"), "{refused}");
    let span = Window { from: None, until: None };
    assert_eq!(schedule.backfill(span).await.unwrap_err().code(), "invalid");
}

#[on_every_database]
async fn a_schedule_with_an_endless_timeout_stops_no_other(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tick>()).await;
    let endless = house.onward.schedule::<tick>("@hourly").id("endless").timeout(Duration::MAX).await.unwrap();
    house.onward.schedule::<tick>("@hourly").id("plain").await.unwrap();
    house.pass(hours(1)).await;
    for id in ["endless@2026-01-01T01:00:00Z", "plain@2026-01-01T01:00:00Z"] {
        let run = house.onward.handle_named(id);
        house.until("its tick came", async || run.status().await.is_ok_and(Status::is_terminal)).await;
    }
    assert!(endless.describe().await.unwrap().options.timeout.is_some());
}

#[onward::workflow]
async fn wants_itself(ctx: &Ctx) -> Result<String> {
    match ctx.run::<wants_itself>(()).queue("q").dedup_or_existing("d").await {
        Ok(of) => Ok(of),
        Err(error) => Ok(error.code().to_owned()),
    }
}

#[on_every_database]
async fn a_run_is_not_its_own_child(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<wants_itself>()).await;
    house.onward.queue("q").await.unwrap();
    let run = house.onward.start::<wants_itself>(()).queue("q").dedup("d").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "conflict");
}
