//! What a run does to the world waits for what it did before; what it only records runs ahead, within a budget.
//!
//! Somebody else has the rows here that the journal writes first, or the whole file, so that nothing becomes durable.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::foreign::Foreign;
use crate::house::{House, Log};

#[onward::workflow]
async fn receives(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

/// The end of its sleep is what is not durable when it sends.
#[onward::workflow]
async fn sends(ctx: &Ctx, to: String) -> Result<()> {
    ctx.sleep(secs(1)).await?;
    ctx.state::<Log>().ran(ctx.run_id());
    Ok(ctx.send(&to, "n", 7).await?)
}

#[onward::workflow]
async fn opens(ctx: &Ctx, token: String) -> Result<bool> {
    ctx.sleep(secs(1)).await?;
    ctx.state::<Log>().ran(ctx.run_id());
    Ok(ctx.hook::<u32>().token(token).await.is_ok())
}

async fn succeeds<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    let succeeded = async || run.status().await.unwrap() == Status::Succeeded;
    house.becomes(&format!("{} has succeeded", run.id()), succeeded).await;
}

async fn is_asleep<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    house.becomes(&format!("{} sleeps", run.id()), async || !run.steps().await.unwrap().is_empty()).await;
}

/// Nothing of the journal becomes durable while somebody else has what it writes first.
async fn nothing_is_done_too_early(db: TestDatabase, workflow: &str, table: &str) {
    let house = House::open(db, |b| b.workflows::<(receives, sends, opens)>()).await;
    let to = house.onward.start::<receives>(()).id("to").await.unwrap();
    let run = house.onward.start_named(workflow, to.id()).id("r").await.unwrap();
    is_asleep(&house, &run).await;
    let lock = Foreign::begins(&house.db).await;
    lock.does("select batch from fences for update").await;
    house.clock.advance(secs(1));
    house.becomes("it comes to its call", async || house.log.count("r") == 1).await;
    some_time(&lock).await;
    assert_eq!(lock.number(&format!("select count(*) from {table}")).await, 0, "its sleep has not ended for good");
    lock.gives_up().await;
    succeeds(&house, &run).await;
}

#[on_every_database(only = "postgres", because = "a lock on a SQLite file locks all of it")]
async fn nothing_is_sent_before_what_came_before_it_is_durable(db: TestDatabase) {
    nothing_is_done_too_early(db, "sends", "messages").await;
}

#[on_every_database(only = "postgres", because = "a lock on a SQLite file locks all of it")]
async fn no_hook_is_opened_before_what_came_before_it_is_durable(db: TestDatabase) {
    nothing_is_done_too_early(db, "opens", "hooks").await;
}

#[onward::workflow]
async fn says_much(ctx: &Ctx) -> Result<()> {
    ctx.sleep(secs(1)).await?;
    for n in 0..5_000 {
        ctx.set_event("n", n).await?;
        ctx.state::<Log>().ran("said");
    }
    Ok(())
}

#[on_every_database]
async fn a_run_is_no_further_ahead_of_its_journal_than_the_budget_allows(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<says_much>()).await;
    let run = house.onward.start::<says_much>(()).await.unwrap();
    is_asleep(&house, &run).await;
    let lock = Foreign::begins(&house.db).await;
    if house.db.is_postgres() {
        lock.does("select batch from fences for update").await;
    }
    house.clock.advance(secs(1));
    house.becomes("it is ahead", async || house.log.count("said") >= 100).await;
    // It goes on until it is held back: as long as it says more, look again.
    let mut before = 0;
    while before != house.log.count("said") {
        before = house.log.count("said");
        some_time(&lock).await;
    }
    assert!(before < 1_000, "{before} events are not durable");
    lock.gives_up().await;
    succeeds(&house, &run).await;
    assert_eq!(house.log.count("said"), 5_000);
}

/// Look at the database often enough for whatever is under way to get there.
async fn some_time(foreign: &Foreign) {
    for _ in 0..100 {
        foreign.number("select count(*) from runs").await;
    }
}
