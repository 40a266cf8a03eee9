//! Runs that kill their process: they pause longer and longer, and are given up after a while. Others are not.

use onward::prelude::*;
use onward::records::ReasonKind;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

/// Its step never ends, so that its process dies while it is executed.
#[onward::workflow]
async fn stuck(ctx: &Ctx, name: String) -> Result<()> {
    let step = ctx.step("stuck", async || {
        ctx.state::<Log>().ran(&name);
        std::future::pending::<Result<()>>().await
    });
    Ok(step.await?)
}

#[onward::workflow(max_recoveries = 1)]
async fn fragile(ctx: &Ctx, name: String) -> Result<()> {
    stuck(ctx, name).await
}

/// Records something in each life.
#[onward::workflow]
async fn slow(ctx: &Ctx) -> Result<()> {
    loop {
        ctx.step("work", async || Ok(ctx.state::<Log>().ran("slow"))).await?;
        ctx.sleep(secs(2)).await?;
    }
}

fn all(builder: onward::Builder) -> onward::Builder {
    builder.workflows::<(stuck, fragile, slow)>()
}

/// The executor dies until this run is given up, or it has died this often.
async fn dies(house: &mut House, id: &str, times: usize) -> usize {
    for death in 1..=times {
        let begun = house.log.count(id);
        let run = house.onward.handle_named(id);
        let over = async || run.status().await.unwrap() == Status::RetriesExceeded;
        let begins = async || house.log.count(id) >= death.max(begun) || over().await;
        house.until("it is executed, or was given up", begins).await;
        if over().await {
            return death - 1;
        }
        house.lose_executor().await;
    }
    times
}

#[on_every_database]
async fn a_run_pauses_longer_after_each_death_and_says_until_when(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    house.onward.start::<stuck>("r".into()).id("r").await.unwrap();
    assert_eq!(dies(&mut house, "r", 7).await, 7);
    let run = house.onward.handle::<stuck>("r");
    let pauses = async || matches!(run.describe().await.unwrap().why.kind, ReasonKind::Recovery { deaths: 7, .. });
    house.until("its last death is noticed", pauses).await;
    let record = run.describe().await.unwrap();
    let ReasonKind::Recovery { of: Some(10), at, .. } = record.why.kind else { panic!("{}", record.reason) };
    assert_eq!((record.ready_at, record.max_recoveries), (Some(at), Some(10)));
    assert!(record.reason.contains("its process died 7 times"), "{}", record.reason);
    // A message does not end the pause.
    run.send("word", ()).await.unwrap();
    assert_eq!(run.describe().await.unwrap().ready_at, Some(at));
    let again = async || house.log.count("r") == 8;
    house.until("it is executed again", again).await;
    assert!(house.clock.now() >= at);
}

#[on_every_database]
async fn the_start_the_workflow_and_the_executor_say_how_many_deaths_a_run_survives(db: TestDatabase) {
    let mut house = House::open(db, |b| all(b).max_recoveries(2)).await;
    house.onward.start::<fragile>("start".into()).id("start").max_recoveries(0).await.unwrap();
    assert_eq!(dies(&mut house, "start", 9).await, 1);
    house.onward.start::<fragile>("workflow".into()).id("workflow").await.unwrap();
    assert_eq!(dies(&mut house, "workflow", 9).await, 2);
    house.onward.start::<stuck>("executor".into()).id("executor").await.unwrap();
    assert_eq!(dies(&mut house, "executor", 9).await, 3);
    for (id, most) in [("start", 0), ("workflow", 1), ("executor", 2)] {
        assert_eq!(house.onward.handle_named(id).describe().await.unwrap().max_recoveries, Some(most), "{id}");
    }
}

#[on_every_database]
async fn a_run_that_records_something_in_each_life_is_never_given_up(db: TestDatabase) {
    let mut house = House::open(db, |b| all(b).max_recoveries(1)).await;
    house.onward.start::<slow>(()).id("slow").await.unwrap();
    for _ in 0..5 {
        let worked = house.log.count("slow");
        house.until("it works", async || house.log.count("slow") > worked).await;
        house.lose_executor().await;
    }
    let slow = house.onward.handle::<slow>("slow").describe().await.unwrap();
    assert_eq!((slow.status, slow.recoveries <= 1), (Status::Running, true), "{}", slow.reason);
}
