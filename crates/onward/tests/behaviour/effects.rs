//! What a run does to the database beside its journal, and what comes of it while the database is in trouble.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::foreign::Foreign;
use crate::house::{House, Log};

#[onward::workflow]
async fn receives(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

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

async fn is_asleep<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    house.becomes(&format!("{} sleeps", run.id()), async || !run.steps().await.unwrap().is_empty()).await;
}

/// Look at the database often enough for whatever is under way to get there.
async fn some_time(foreign: &Foreign) {
    for _ in 0..100 {
        foreign.number("select count(*) from runs").await;
    }
}

/// What the run at its call is given while this table is not there.
async fn waits_for_the_table(db: TestDatabase, workflow: &str, table: &str) {
    let house = House::open(db, |b| b.workflows::<(receives, sends, opens)>()).await;
    let to = house.onward.start::<receives>(()).id("to").await.unwrap();
    let run = house.onward.start_named(workflow, to.id()).id("r").await.unwrap();
    is_asleep(&house, &run).await;
    let foreign = Foreign::begins(&house.db).await;
    foreign.does(&format!("alter table {table} rename to lost")).await;
    foreign.does("commit").await;
    house.clock.advance(secs(1));
    house.becomes("it comes to its call", async || house.log.count("r") == 1).await;
    for _ in 0..3 {
        some_time(&foreign).await;
        house.pass(millis(500)).await;
    }
    // The record of the run says what it waits for, which is not there to be read.
    let running = foreign.number("select count(*) from runs where id = 'r' and status = 'running'").await;
    assert_eq!(running, 1, "trouble with the database is no outcome");
    foreign.does(&format!("alter table lost rename to {table}")).await;
    house.until("it is done", async || run.status().await.unwrap() == Status::Succeeded).await;
    assert!(run.steps().await.unwrap().iter().all(|step| step.error.is_none()));
    assert_eq!(house.log.count("r"), 1);
}

#[on_every_database]
async fn a_run_that_sends_waits_for_a_database_that_is_in_trouble(db: TestDatabase) {
    waits_for_the_table(db, "sends", "messages").await;
}

#[on_every_database]
async fn a_run_that_opens_a_hook_waits_for_a_database_that_is_in_trouble(db: TestDatabase) {
    waits_for_the_table(db, "opens", "hooks").await;
}
