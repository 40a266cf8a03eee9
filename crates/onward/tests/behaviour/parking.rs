//! Parked runs hold no memory but their row.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn sleeper(ctx: &Ctx, n: u64) -> Result<u64> {
    let doubled = ctx.step("work", async || {
        ctx.state::<Log>().ran("work");
        Ok(n * 2)
    });
    let doubled = doubled.await?;
    ctx.sleep(days(1)).await?;
    Ok(doubled)
}

#[onward::workflow]
async fn waits_for_child(ctx: &Ctx) -> Result<u64> {
    Ok(ctx.run::<sleeper>(21).await?)
}

#[on_every_database]
async fn a_run_that_sleeps_for_long_leaves_memory_and_comes_back_in_time(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let runs = futures_util::future::join_all((0..50).map(|n| house.onward.start::<sleeper>(n))).await;
    house.until("all have left memory", async || house.onward.resident_runs() == 0).await;
    let record = runs[0].as_ref().unwrap().describe().await.unwrap();
    assert_eq!((record.status, record.executor), (Status::Running, None));
    assert!(record.reason.starts_with("sleeps until 2026-01-02T00:00:"), "{}", record.reason);
    house.pass(days(1)).await;
    for (n, run) in runs.into_iter().enumerate() {
        let run = run.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), n as u64 * 2);
        // The record of the call spans all its lives.
        let slept = &run.steps().await.unwrap()[1];
        let (from, to) = (slept.started_at.unwrap(), slept.completed_at.unwrap());
        assert!(to.as_second() - from.as_second() >= 86_400, "{from} to {to}");
    }
    assert_eq!(house.log.count("work"), 50);
}

#[on_every_database]
async fn a_parked_parent_is_woken_by_its_child(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(waits_for_child, sleeper)>()).await;
    let run = house.onward.start::<waits_for_child>(()).await.unwrap();
    house.until("both have left memory", async || house.onward.resident_runs() == 0).await;
    let reason = run.describe().await.unwrap().reason;
    assert!(reason.starts_with("waits for child `"), "{reason}");
    house.pass(days(1)).await;
    assert_eq!(house.done(run.result()).await.unwrap(), 42);
}

#[on_every_database]
async fn more_sleepers_than_fit_are_parked_before_their_time(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>().resident_max(10).park_after(days(300))).await;
    let runs = futures_util::future::join_all((0..60).map(|n| house.onward.start::<sleeper>(n))).await;
    house.until("no more than ten are in memory", async || house.onward.resident_runs() <= 10).await;
    house.pass(days(1)).await;
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(house.done(run.unwrap().result()).await.unwrap(), n as u64 * 2);
    }
}

#[on_every_database]
async fn a_parked_run_can_be_cancelled(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(1).await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    run.cancel().await.unwrap();
    assert!(house.done(run.result()).await.unwrap_err().is_cancelled());
    assert_eq!(run.describe().await.unwrap().reason, "cancelled");
}
