//! Children: deterministic ids, results, errors, conflicts.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn double(ctx: &Ctx, n: u32) -> Result<u32> {
    let doubled = ctx.step("double", async || {
        ctx.state::<Log>().ran("double");
        if n == 13 { Err("unlucky".into()) } else { Ok(n * 2) }
    });
    Ok(doubled.await?)
}

#[onward::workflow]
async fn slow_double(ctx: &Ctx, n: u32) -> Result<u32> {
    ctx.sleep(hours(1)).await?;
    Ok(n * 2)
}

#[onward::workflow]
async fn parent(ctx: &Ctx, n: u32) -> Result<(u32, u32)> {
    let slow = ctx.start::<slow_double>(n).await?;
    let fast = ctx.run::<double>(n).await?;
    Ok((fast, slow.result(ctx).await?))
}

#[on_every_database]
async fn a_parent_gets_the_results_of_its_children(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(parent, double, slow_double)>()).await;
    let run = house.onward.start::<parent>(4).id("p").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), (8, 8));
    let ids: Vec<String> = run.children().await.unwrap().iter().map(|child| child.id().to_owned()).collect();
    assert_eq!(ids, ["p-0", "p-1"]);
    let child = house.onward.handle::<double>("p-1").describe().await.unwrap();
    assert_eq!(child.parent.unwrap().as_str(), "p");
    assert_eq!(child.parent_position, Some(1));
    let shown: Vec<_> =
        run.steps().await.unwrap().into_iter().map(|step| step.child.map(|id| id.to_string())).collect();
    assert_eq!(shown, [Some("p-0".into()), Some("p-1".into()), None]);
}

#[on_every_database]
async fn a_lost_executor_starts_no_child_twice(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(parent, double, slow_double)>()).await;
    let run = house.onward.start::<parent>(4).id("p").await.unwrap();
    house.until("the slow child is waited for", async || run.steps().await.unwrap().len() == 3).await;
    house.lose_executor().await;
    let run = house.onward.handle::<parent>("p");
    assert_eq!(house.done(run.result()).await.unwrap(), (8, 8));
    assert_eq!(run.children().await.unwrap().len(), 2);
    assert_eq!(house.log.count("double"), 1);
}

#[onward::workflow]
async fn hopeful(ctx: &Ctx) -> Result<String> {
    match ctx.run::<double>(13).await {
        Ok(doubled) => Ok(doubled.to_string()),
        Err(error) => Ok(format!("{} [{}]", error.message(), error.code())),
    }
}

#[on_every_database]
async fn the_error_of_a_child_is_that_of_the_call(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(hopeful, double)>()).await;
    let run = house.onward.start::<hopeful>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "unlucky [failed]");
}

#[onward::workflow]
async fn chooses(ctx: &Ctx, n: u32) -> Result<u32> {
    Ok(ctx.run::<double>(n).id("chosen").await?)
}

#[on_every_database]
async fn a_child_with_a_chosen_id_is_shared_or_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(chooses, double)>()).await;
    for _ in 0..2 {
        let run = house.onward.start::<chooses>(4).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), 8);
    }
    assert_eq!(house.log.count("double"), 1);
    let run = house.onward.start::<chooses>(5).await.unwrap();
    assert!(house.done(run.result()).await.unwrap_err().is_conflict());
}

#[on_every_database]
async fn a_strangers_run_is_never_taken_for_a_child(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(parent, double, slow_double)>()).await;
    house.onward.start::<slow_double>(4).id("p-0").await.unwrap();
    let run = house.onward.start::<parent>(4).id("p").await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.is_conflict() && error.message().contains("p-0"), "{error}");
    assert_eq!(run.status().await.unwrap(), Status::Paused);
}

#[onward::workflow]
async fn deep(ctx: &Ctx, depth: u32) -> Result<u32> {
    if depth == 0 { Ok(0) } else { Ok(1 + ctx.run::<deep>(depth - 1).await?) }
}

#[on_every_database]
async fn children_may_have_children(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<deep>()).await;
    let run = house.onward.start::<deep>(30).id("d".repeat(480)).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 30);
}

#[onward::workflow]
async fn asks_for_unknown(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<double>(1).await?)
}

#[on_every_database]
async fn a_child_that_this_executor_was_not_given_holds_its_parent(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<asks_for_unknown>()).await;
    let run = house.onward.start::<asks_for_unknown>(()).id("asks").await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.code() == "not_registered" && error.message().contains(".workflow::<double>()"), "{error}");
    house.lose_executor_for(|b| b.workflow::<double>()).await;
    let run = house.onward.handle::<asks_for_unknown>("asks");
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
}

#[onward::workflow]
async fn many(ctx: &Ctx, n: u32) -> Result<Vec<u32>> {
    let started = ctx.all((0..n).map(|i| ctx.start::<double>(i + 100))).await?;
    let mut results = vec![];
    for child in &started {
        results.push(child.result(ctx).await?);
    }
    Ok(results)
}

#[on_every_database]
async fn children_that_were_started_before_a_crash_are_found_again(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(many, double)>()).await;
    house.onward.start::<many>(300).id("many").await.unwrap();
    // Lost at some moment: some children were created, and some of those starts are recorded.
    house.until("some children ran", async || house.log.count("double") > 3).await;
    house.lose_executor().await;
    let run = house.onward.handle::<many>("many");
    assert_eq!(house.done(run.result()).await.unwrap(), (100..400).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(run.children().await.unwrap().len(), 300);
}
