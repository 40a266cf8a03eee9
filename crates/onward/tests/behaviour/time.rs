//! Sleeps, and what is recorded of time and chance.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn nap(ctx: &Ctx) -> Result<(Timestamp, Timestamp)> {
    let before = ctx.now().await?;
    ctx.sleep(hours(3)).await?;
    Ok((before, ctx.now().await?))
}

#[on_every_database]
async fn a_sleep_keeps_its_time_when_the_executor_is_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<nap>()).await;
    let run = house.onward.start::<nap>(()).id("nap").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.pass(hours(2)).await;
    house.lose_executor().await;
    house.pass(mins(59)).await;
    let run = house.onward.handle::<nap>("nap");
    house.until("it woke", async || run.status().await.unwrap() == Status::Succeeded).await;
    let (before, after) = run.result().await.unwrap();
    let slept = after.duration_since(before).as_secs();
    // Begun again, it would have been six hours.
    assert!((3 * 3600..5 * 3600).contains(&slept), "slept {slept} s: the time began again");
}

#[onward::workflow]
async fn until(ctx: &Ctx, at: Timestamp) -> Result<()> {
    Ok(ctx.sleep_until(at).await?)
}

#[on_every_database]
async fn a_sleep_until_a_time_that_has_passed_is_over_at_once(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<until>()).await;
    house.onward.start::<until>("2020-01-01T00:00:00Z".parse().unwrap()).await.unwrap().result().await.unwrap();
}

#[onward::workflow]
async fn chance(ctx: &Ctx) -> Result<bool> {
    let first = (ctx.random().await?, ctx.uuid().await?, ctx.now().await?);
    let recorded = ctx.step("write down", async || Ok(first)).await?;
    ctx.sleep(hours(1)).await?;
    Ok(recorded == first)
}

#[on_every_database]
async fn time_and_chance_are_the_same_on_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<chance>()).await;
    let run = house.onward.start::<chance>(()).id("chance").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 5).await;
    house.lose_executor().await;
    assert!(house.done(house.onward.handle::<chance>("chance").result()).await.unwrap());
}

#[onward::workflow]
async fn counts(ctx: &Ctx, to: u64) -> Result<u64> {
    let mut sum = 0u64;
    for _ in 0..to {
        sum = sum.wrapping_add(ctx.random().await? % 7);
    }
    let recorded = ctx.step("sum", async || Ok(sum)).await?;
    ctx.sleep(hours(1)).await?;
    Ok(sum.abs_diff(recorded))
}

#[on_every_database]
async fn a_thousand_immediate_calls_in_a_row_are_recorded_and_replayed(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<counts>()).await;
    let run = house.onward.start::<counts>(1_000).id("counts").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 1_002).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<counts>("counts").result()).await.unwrap(), 0);
}

#[onward::workflow]
async fn a_second_and_a_half(ctx: &Ctx) -> Result<(Timestamp, Timestamp)> {
    let before = ctx.now().await?;
    ctx.sleep(millis(1_500)).await?;
    Ok((before, ctx.now().await?))
}

#[on_every_database]
async fn a_sleep_is_as_long_as_it_says_and_not_rounded(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<a_second_and_a_half>()).await;
    let run = house.onward.start::<a_second_and_a_half>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let began = run.steps().await.unwrap()[1].started_at.unwrap();
    let reason = run.describe().await.unwrap().reason;
    assert_eq!(reason, format!("sleeps until {}", began + millis(1_500)));
    house.until("it has ended", async || run.status().await.unwrap() == Status::Succeeded).await;
    let (before, after) = run.result().await.unwrap();
    assert!(after.duration_since(before).as_millis() >= 1_500, "{before} {after}");
}

#[onward::workflow]
async fn asks_twice(ctx: &Ctx) -> Result<(Timestamp, Timestamp)> {
    let before = ctx.now().await?;
    ctx.recv::<()>("go").await?;
    Ok((before, ctx.now().await?))
}

#[on_every_database]
async fn the_time_never_goes_back_in_a_run_whose_next_owner_has_a_slower_clock(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<asks_twice>()).await;
    house.pass(hours(2)).await;
    let run = house.onward.start::<asks_twice>(()).id("r").await.unwrap();
    house.until("it asked once", async || !run.steps().await.unwrap().is_empty()).await;
    drop(run);
    // The next one lives two hours ago.
    house.clock = onward::Clock::virtual_at("2026-01-01T00:00:00Z".parse().unwrap());
    house.lose_executor().await;
    let run = house.onward.handle::<asks_twice>("r");
    run.send("go", ()).await.unwrap();
    let (before, after) = house.done(run.result()).await.unwrap();
    assert!(after >= before, "{before} came before {after}");
}

#[on_every_database(only = "postgres", because = "a SQLite file is used by one machine, which has one clock")]
async fn executors_whose_clocks_differ_by_days_agree_on_the_time(db: TestDatabase) {
    #[onward::workflow]
    async fn asks(ctx: &Ctx) -> Result<Timestamp> {
        Ok(ctx.now().await?)
    }
    let mut told = Vec::new();
    for days_ahead in [-2, 0, 2] {
        let skew = onward::Skew::default();
        skew.set(days_ahead * 86_400_000_000);
        let onward =
            Onward::open(&db.url).clock(onward::Clock::skewed(&skew)).workflow::<asks>().launch().await.unwrap();
        told.push(onward.start::<asks>(()).await.unwrap().result().await.unwrap());
        // And one that is set while it runs.
        skew.set(5 * 86_400_000_000);
        told.push(onward.start::<asks>(()).await.unwrap().result().await.unwrap());
        onward.shutdown(secs(1)).await.unwrap();
    }
    assert!(told.is_sorted(), "{told:?}");
    let all = told[5].duration_since(told[0]).as_secs();
    assert!(all < 60, "they agree but for the time that the test took: {told:?}");
}
