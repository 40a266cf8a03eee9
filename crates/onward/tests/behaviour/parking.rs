//! Parked runs hold no memory but their row.

use std::sync::Arc;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use tokio::sync::Semaphore;

use crate::house::{House, Log};
use crate::queues::{Gauge, ended};

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
        let (from, to) = (slept.started_at.unwrap(), slept.finished_at.unwrap());
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

/// At work until somebody lets it go on.
#[onward::workflow]
async fn works(ctx: &Ctx) -> Result<()> {
    let step = ctx.step("work", async || {
        let _at_work = ctx.state::<Gauge>().enter("work", vec!["here".to_owned()]);
        ctx.state::<Arc<Semaphore>>().acquire().await.unwrap().forget();
        Ok(())
    });
    Ok(step.await?)
}

#[on_every_database]
async fn an_executor_takes_no_more_runs_than_it_may_have_while_all_of_them_work(db: TestDatabase) {
    let (gauge, doors) = (Gauge::default(), Arc::new(Semaphore::new(0)));
    let states = (gauge.clone(), doors.clone());
    let build = move |b: onward::Builder| {
        b.workflow::<works>().resident_max(2).lease(secs(60)).state(states.0.clone()).state(states.1.clone())
    };
    let house = House::open(db, build).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(client.start::<works>(()).await.unwrap());
    }
    house.until("as many work as it may have", async || gauge.now("here") >= 2).await;
    // Long enough for others to come, if they could.
    for _ in 0..5 {
        house.pass(secs(1)).await;
        for run in &runs {
            run.status().await.unwrap();
        }
    }
    assert_eq!((gauge.now("here"), house.onward.resident_runs()), (2, 2));
    doors.add_permits(6);
    for run in &runs {
        ended(&house, run).await;
    }
    assert_eq!(gauge.most("here"), 2);
}
