//! A message wakes who waits for it. The clock stands still here, so no sweep makes up for a wake-up that is lost.

use std::time::Duration;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

/// Much longer than a wake-up takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What comes of this without a moment passing on the clock.
async fn at_once<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("the wake-up was lost")
}

#[onward::workflow]
async fn receives(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

#[onward::workflow]
async fn opens(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.hook::<u32>().token("t").await?.recv().await?)
}

#[on_every_database]
async fn a_message_wakes_a_parked_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<receives>()).await;
    let run = house.onward.start::<receives>(()).await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    run.send("n", 7).await.unwrap();
    assert_eq!(at_once(run.result()).await.unwrap(), 7);
}

#[on_every_database]
async fn a_message_reaches_a_run_in_memory(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<receives>()).await;
    let run = house.onward.start::<receives>(()).await.unwrap();
    let waits = async {
        while run.steps().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    at_once(waits).await;
    run.send("n", 7).await.unwrap();
    assert_eq!(at_once(run.result()).await.unwrap(), 7);
}

#[on_every_database]
async fn a_payload_wakes_a_parked_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<opens>()).await;
    let run = house.onward.start::<opens>(()).await.unwrap();
    house.until("it waits", async || run.steps().await.unwrap().len() == 2).await;
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    house.onward.resume_hook("t", 7).await.unwrap();
    assert_eq!(at_once(run.result()).await.unwrap(), 7);
}

#[on_every_database]
async fn a_message_that_replaces_one_that_was_refused_wakes_a_parked_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<receives>()).await;
    let run = house.onward.start::<receives>(()).delay(mins(1)).await.unwrap();
    run.send("n", "seven").await.unwrap();
    house.pass(mins(1)).await;
    let refused = async || run.messages().await.unwrap()[0].refused.is_some();
    house.until("it is refused", refused).await;
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    run.replace_message(run.messages().await.unwrap()[0].seq, &7).await.unwrap();
    assert_eq!(at_once(run.result()).await.unwrap(), 7);
}

#[onward::workflow]
async fn waits_a_minute(ctx: &Ctx) -> Result<Option<u32>> {
    Ok(ctx.recv("n").timeout(mins(1)).await?)
}

/// A sweep may come just before. On PostgreSQL a signal may come, too; on SQLite nothing tells of another process.
#[on_every_database]
async fn a_message_that_comes_at_the_last_moment_is_taken(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits_a_minute>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let run = house.onward.start::<waits_a_minute>(()).id("r").await.unwrap();
    let waits = async {
        while run.steps().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    at_once(waits).await;
    client.send("r", "n", 7).await.unwrap();
    house.clock.advance(mins(1));
    assert_eq!(at_once(run.result()).await.unwrap(), Some(7));
}
