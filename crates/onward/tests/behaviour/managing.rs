//! Pause, wake up, delays, attributes, delete: on runs that an executor has, that are parked, that wait, and that have ended.

use onward::Filter;
use onward::prelude::*;
use onward::records::StepState;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::house::{House, Log};

#[onward::workflow]
async fn sleeper(ctx: &Ctx) -> Result<u32> {
    let log = ctx.state::<Log>();
    ctx.step("one", async || Ok(log.ran("one"))).await?;
    ctx.sleep(days(30)).await?;
    ctx.step("two", async || Ok(log.ran("two"))).await?;
    Ok(7)
}

#[onward::workflow]
async fn two_sleeps(ctx: &Ctx) -> Result<u32> {
    let (a, b) = tokio::join!(ctx.sleep(days(30)), ctx.sleep(days(60)));
    a?;
    b?;
    Ok(2)
}

#[onward::workflow]
async fn parent(ctx: &Ctx) -> Result<u32> {
    let child = ctx.start::<sleeper>(()).id("kid").await?;
    ctx.sleep(days(90)).await?;
    Ok(child.result(ctx).await?)
}

/// A run that sleeps, in memory.
async fn asleep(house: &House, id: &str) -> WorkflowHandle<u32> {
    let run = house.onward.start::<sleeper>(()).id(id).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    run
}

async fn is_parked(house: &House, run: &WorkflowHandle<u32>) {
    let parked = async || {
        let run = run.describe().await.unwrap();
        run.executor.is_none() && run.status == Status::Running
    };
    house.until("it is parked", parked).await;
}

#[on_every_database]
async fn a_paused_run_leaves_its_executor_and_goes_on_where_it_was(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = asleep(&house, "live").await;
    run.pause().await.unwrap();
    house.until("its executor let go", async || run.describe().await.unwrap().executor.is_none()).await;
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.error), (Status::Paused, None));
    assert!(record.reason.contains("paused"), "{}", record.reason);
    house.pass(days(40)).await;
    house.lose_executor().await;
    let run = house.onward.handle::<sleeper>("live");
    assert_eq!(run.status().await.unwrap(), Status::Paused, "nothing but a resume moves it");
    assert_eq!(house.log.count("two"), 0);
    run.pause().await.unwrap();
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
    assert_eq!((house.log.count("one"), house.log.count("two")), (1, 1));
    assert_eq!(run.pause().await.unwrap_err().code(), "illegal_move");
    assert!(house.onward.handle::<sleeper>("nobody").pause().await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn what_is_parked_waits_or_is_delayed_can_be_paused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>().park_after(millis(1))).await;
    let parked = asleep(&house, "parked").await;
    is_parked(&house, &parked).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.start_named("unknown", ()).id("waits").await.unwrap();
    house.onward.start::<sleeper>(()).id("delayed").delay(hours(1)).await.unwrap();
    for id in ["parked", "waits", "delayed"] {
        client.handle_named(id).pause().await.unwrap();
        assert_eq!(client.handle_named(id).status().await.unwrap(), Status::Paused, "{id}");
    }
    house.pass(days(40)).await;
    house.pass(secs(5)).await;
    assert_eq!((house.log.count("one"), house.log.count("two")), (1, 0), "what is paused does not move");
    client.handle_named("parked").resume().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<sleeper>("parked").result()).await.unwrap(), 7);
    client.handle_named("delayed").resume().await.unwrap();
    house.until("its time is over: it begins", async || house.log.count("one") == 2).await;
}

#[on_every_database]
async fn a_sleep_that_was_ended_ends_at_once_in_memory_or_parked_and_only_once(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let live = asleep(&house, "live").await;
    let before = house.clock.now();
    assert_eq!(live.wake_up().await.unwrap().sleeps, 1);
    assert_eq!(house.done(live.result()).await.unwrap(), 7);
    assert!(house.clock.now() < before + days(20));
    assert_eq!(live.wake_up().await.unwrap().sleeps, 0, "it has ended");

    let parked = asleep(&house, "parked").await;
    house.pass(secs(10)).await;
    is_parked(&house, &parked).await;
    assert_eq!(parked.wake_up().await.unwrap().sleeps, 1);
    house.lose_executor().await;
    let parked = house.onward.handle::<sleeper>("parked");
    house.until("it has ended", async || parked.status().await.unwrap() == Status::Succeeded).await;
    assert!(house.onward.handle::<sleeper>("nobody").wake_up().await.unwrap_err().is_unknown_run());
    assert_eq!(house.log.count("one"), 2);
}

#[on_every_database]
async fn one_of_two_sleeps_can_be_ended_by_its_position(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<two_sleeps>()).await;
    let run = house.onward.start::<two_sleeps>(()).await.unwrap();
    house.until("both sleep", async || run.steps().await.unwrap().len() == 2).await;
    assert_eq!(run.wake_up_at([7]).await.unwrap().sleeps, 0);
    assert_eq!(run.wake_up_at([1, 1]).await.unwrap().sleeps, 1);
    let ended = async || run.steps().await.unwrap()[1].state == StepState::Succeeded;
    house.until("the second has ended", ended).await;
    assert_eq!(run.steps().await.unwrap()[0].state, StepState::Waiting);
    assert_eq!(run.wake_up().await.unwrap().sleeps, 1);
    let begun = house.clock.now();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    assert!(house.clock.now() < begun + days(20));
}

#[on_every_database]
async fn a_paused_run_that_is_woken_up_wakes_when_it_is_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = asleep(&house, "both").await;
    run.pause().await.unwrap();
    assert_eq!(run.wake_up().await.unwrap().sleeps, 1);
    assert_eq!(run.status().await.unwrap(), Status::Paused);
    run.resume().await.unwrap();
    house.until("it has ended", async || run.status().await.unwrap() == Status::Succeeded).await;
}

#[on_every_database]
async fn a_delay_can_be_changed_until_the_run_begins(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).delay(days(300)).await.unwrap();
    run.set_delay(secs(10)).await.unwrap();
    house.until("it has begun", async || house.log.count("one") == 1).await;
    assert_eq!(run.set_delay(secs(1)).await.unwrap_err().code(), "illegal_move");
}

#[on_every_database]
async fn the_delay_of_all_that_start_later_is_changed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let under_way = asleep(&house, "now").await;
    for id in ["a", "b"] {
        house.onward.start::<sleeper>(()).id(id).delay(days(300)).await.unwrap();
    }
    let many = house.onward.set_delay_all(Filter::all(), secs(10)).await.unwrap();
    assert_eq!((many.matched, many.changed, many.refused), (3, 2, 1));
    house.until("both have begun", async || house.log.count("one") == 3).await;
    assert!(!under_way.status().await.unwrap().is_terminal());
}

#[on_every_database]
async fn attributes_are_replaced_or_merged_whatever_the_run_does(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = asleep(&house, "facts").await;
    run.merge_attributes(json!({"team": "red", "size": 1})).await.unwrap();
    run.merge_attributes(json!({"size": null, "ok": true})).await.unwrap();
    let merged: serde_json::Value = run.describe().await.unwrap().attributes.unwrap().decode().unwrap();
    assert_eq!(merged, json!({"team": "red", "ok": true}));
    run.set_attributes(json!({"team": "blue"})).await.unwrap();
    let blue = Filter::default().with_attributes(json!({"team": "blue"})).unwrap();
    assert_eq!(house.onward.list(blue).await.unwrap().items.len(), 1);
    assert_eq!(run.set_attributes([1]).await.unwrap_err().code(), "invalid");
    assert!(house.onward.handle::<sleeper>("nobody").set_attributes(json!({})).await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn only_what_has_ended_and_what_nobody_asks_for_is_deleted(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(sleeper, parent)>()).await;
    let run = house.onward.start::<parent>(()).id("parent").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let kid = house.onward.handle::<sleeper>("kid");
    house.until("the child sleeps", async || kid.steps().await.is_ok_and(|steps| steps.len() == 2)).await;
    assert_eq!(kid.delete().await.unwrap_err().code(), "illegal_move");
    kid.wake_up().await.unwrap();
    house.until("the child has ended", async || kid.status().await.unwrap() == Status::Succeeded).await;
    let kept = kid.delete().await.unwrap_err();
    assert!(kept.code() == "illegal_move" && kept.message().contains("`parent`"), "{kept}");
    run.cancel().await.unwrap();
    // Its executor lets go in a moment, and the delete waits for that.
    assert_eq!(house.done(run.delete().with_children()).await.unwrap().runs, 2);
    assert!(run.describe().await.unwrap_err().is_unknown_run());
    assert!(kid.delete().await.unwrap_err().is_unknown_run());
    let again = asleep(&house, "parent").await;
    assert_eq!(again.steps().await.unwrap().len(), 2, "the id may be used again, and nothing is left of the other run");
}

#[onward::workflow]
async fn leaves(ctx: &Ctx) -> Result<()> {
    ctx.start::<sleeper>(()).id("kid").await?;
    Ok(())
}

#[on_every_database]
async fn a_run_is_not_deleted_before_what_it_started_has_ended(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(sleeper, leaves)>()).await;
    let run = house.onward.start::<leaves>(()).await.unwrap();
    house.done(run.result()).await.unwrap();
    let kid = house.onward.handle::<sleeper>("kid");
    for kept in [run.delete().await.map(|_| ()), run.delete().with_children().await.map(|_| ())] {
        let kept = kept.unwrap_err();
        assert!(kept.code() == "illegal_move" && kept.message().contains("`kid`"), "{kept}");
    }
    kid.cancel().await.unwrap();
    house.done(run.delete()).await.unwrap();
    assert_eq!(kid.status().await.unwrap(), Status::Cancelled, "it is there without its parent");
}

#[onward::workflow]
async fn talker(ctx: &Ctx) -> Result<()> {
    ctx.set_event("stage", 1).await?;
    ctx.stream("words").append("hello").await?;
    ctx.recv::<String>("topic").await?;
    Ok(())
}

/// How many rows lie in the tables of what runs say and hear, and have recorded.
#[onward::workflow]
async fn rows(ctx: &Ctx) -> Result<i64> {
    let count = ctx.transaction("count", async |tx| {
        let all = "select (select count(*) from messages) + (select count(*) from events)
            + (select count(*) from event_history) + (select count(*) from streams) + (select count(*) from checkpoints)
            + (select count(*) from attempts) + (select count(*) from payloads) as found";
        let row = tx.first(all, ()).await?.ok_or("no row")?;
        Ok(row.get::<i64>("found")?)
    });
    Ok(count.await?)
}

#[on_every_database]
async fn a_run_is_deleted_with_all_that_it_said_and_heard(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(talker, rows)>()).await;
    let run = house.onward.start::<talker>(()).id("talker").await.unwrap();
    run.send("topic", "hello").key("one").await.unwrap();
    house.done(run.result()).await.unwrap();
    run.send("topic", "late").await.unwrap();
    let count = async || {
        let counter = house.onward.start::<rows>(()).id("count").await.unwrap();
        let found = counter.result().await.unwrap();
        counter.delete().await.unwrap();
        found
    };
    assert!(count().await >= 2 + 1 + 1 + 1 + 3);
    run.delete().await.unwrap();
    assert_eq!(count().await, 0);
}

#[on_every_database]
async fn many_runs_are_steered_by_a_filter_in_chunks(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let starts = (0..520).map(|n| house.onward.start::<sleeper>(()).id(format!("m-{n:03}")).delay(days(1)));
    for started in futures_util::future::join_all(starts).await {
        started.unwrap();
    }
    let one = asleep(&house, "other").await;
    for nothing in [Filter::default(), Filter { limit: Some(3), oldest_first: true, ..Filter::default() }] {
        let refused = house.onward.cancel_all(nothing).await.unwrap_err();
        assert!(refused.code() == "invalid" && refused.message().contains("every run"), "{refused}");
    }
    assert_eq!(one.status().await.unwrap(), Status::Running);
    let all = Filter { id_prefix: Some("m-".into()), oldest_first: true, ..Filter::default() };
    let some = Filter { limit: Some(3), ..all.clone() };
    assert_eq!(house.onward.cancel_all(some).await.unwrap().changed, 3);
    let paused = house.onward.pause_all(all.clone()).await.unwrap();
    assert_eq!((paused.matched, paused.changed, paused.refused), (520, 517, 3));
    let forked = house.onward.fork_all(Filter { limit: None, ..all.clone() }, 0).await.unwrap();
    assert_eq!((forked.matched, forked.changed), (520, 520), "forks are not forked again");
    house.onward.cancel_all(Filter { workflows: vec!["sleeper".into()], ..Filter::default() }).await.unwrap();
    let gone = house.done(house.onward.delete_all(all.clone())).await.unwrap();
    assert_eq!((gone.matched, gone.changed, gone.refused), (520, 520, 0));
    assert!(house.onward.list(all).await.unwrap().items.is_empty());
    assert_eq!(one.status().await.unwrap(), Status::Cancelled);
}

#[onward::workflow]
async fn naps_twice(ctx: &Ctx) -> Result<(Timestamp, Timestamp)> {
    for _ in 0..1_500 {
        ctx.random().await?;
    }
    ctx.sleep(hours(1)).await?;
    let first = ctx.now().await?;
    ctx.sleep(hours(5)).await?;
    Ok((first, ctx.now().await?))
}

#[on_every_database]
async fn a_sleep_after_thousands_of_calls_is_ended_and_its_old_time_brings_nothing(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<naps_twice>()).await;
    let run = house.onward.start::<naps_twice>(()).id("n").await.unwrap();
    let began = house.clock.now();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 1_501).await;
    assert_eq!(run.wake_up_at([]).await.unwrap().sleeps, 0, "none of them, and not all");
    assert_eq!(run.wake_up().await.unwrap().sleeps, 1);
    house.until("it sleeps again", async || run.steps().await.unwrap().len() == 1_503).await;
    house.lose_executor().await;
    // The first sleep would have ended in the middle of the second.
    house.pass(hours(2)).await;
    house.pass(secs(5)).await;
    let run = house.onward.handle::<naps_twice>("n");
    assert_eq!(run.steps().await.unwrap().len(), 1_503);
    let (first, second) = house.done(run.result()).await.unwrap();
    assert!(first < began + mins(30) && second >= first + hours(5), "{began} {first} {second}");
}

#[on_every_database]
async fn a_sleep_that_is_ended_while_it_ends_ends_once(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    for turn in 0..10 {
        let run = asleep(&house, &format!("s-{turn}")).await;
        let (woken, ()) = tokio::join!(run.wake_up(), house.pass(days(31)));
        assert!(woken.unwrap().sleeps <= 1);
        assert_eq!(house.done(run.result()).await.unwrap(), 7);
        assert_eq!(run.steps().await.unwrap().len(), 3);
    }
    assert_eq!(house.log.count("two"), 10);
}
