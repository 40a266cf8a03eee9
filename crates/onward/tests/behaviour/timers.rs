//! Timers and deadlines of runs that are not in memory.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn two_naps(ctx: &Ctx) -> Result<()> {
    let nap = async |length, name: &str| {
        ctx.sleep(length).await?;
        ctx.state::<Log>().ran(name);
        Ok::<(), Error>(())
    };
    let (long, short) = tokio::join!(nap(days(2), "long"), nap(hours(1), "short"));
    long.and(short)?;
    Ok(())
}

async fn is_parked(house: &House) {
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
}

#[on_every_database]
async fn a_parked_run_comes_back_for_the_first_of_its_timers(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<two_naps>()).await;
    let run = house.onward.start::<two_naps>(()).await.unwrap();
    is_parked(&house).await;
    let began = run.describe().await.unwrap().started_at.unwrap();
    house.pass(hours(1)).await;
    house.until("the first nap is over", async || house.log.count("short") > 0).await;
    assert!(house.clock.now() < began + hours(2), "it came back at {}", house.clock.now());
    house.done(run.result()).await.unwrap();
    assert_eq!(run.describe().await.unwrap().started_at, Some(began), "a run starts once, however often it comes back");
}

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

#[on_every_database]
async fn a_deadline_strikes_a_run_that_is_paused_and_one_that_waits_to_go_on(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits>()).await;
    house.onward.queue("q").await.unwrap();
    let start = async |id: &str| house.onward.start::<waits>(()).queue("q").timeout(hours(1)).id(id).await.unwrap();
    let (paused, enqueued) = (start("paused").await, start("enqueued").await);
    house.until("both wait", async || house.onward.resident_runs() == 2).await;
    for run in [&paused, &enqueued] {
        run.pause().await.unwrap();
    }
    house.onward.queue("q").pause().await.unwrap();
    enqueued.resume().await.unwrap();
    assert_eq!(enqueued.status().await.unwrap(), Status::Enqueued);
    house.pass(mins(61)).await;
    for run in [&paused, &enqueued] {
        let is_cancelled = async || run.status().await.unwrap() == Status::Cancelled;
        house.until("its deadline has struck", is_cancelled).await;
    }
}
