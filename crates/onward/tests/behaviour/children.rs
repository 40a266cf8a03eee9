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
    for (at, id) in ids.iter().enumerate() {
        assert!(id.starts_with(&format!("p-{at}-")), "{id}");
    }
    let child = house.onward.handle::<double>(&ids[1]).describe().await.unwrap();
    assert_eq!(child.parent.unwrap().as_str(), "p");
    assert_eq!(child.parent_position, Some(1));
    let shown: Vec<_> =
        run.steps().await.unwrap().into_iter().map(|step| step.child.map(|id| id.to_string())).collect();
    assert_eq!(shown, [Some(ids[0].clone()), Some(ids[1].clone()), None]);
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
async fn no_plain_name_is_that_of_a_child_and_the_name_of_a_deleted_parent_is_free(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(parent, double, slow_double)>()).await;
    for id in ["p-0", "p-1", "p-0-0"] {
        house.onward.start::<slow_double>(4).id(id).await.unwrap();
    }
    for n in 1..=3 {
        let run = house.onward.start::<parent>(n).id("p").await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), (n * 2, n * 2), "its children are its own");
        // They stay, and are not in the way of the next run that has the id.
        run.delete().await.unwrap();
    }
}

/// It makes a child, by a run or by a start, once it is told to.
#[onward::workflow]
async fn waits_first(ctx: &Ctx, apart: bool) -> Result<u32> {
    ctx.recv::<u8>("go").await?;
    let doubled = if apart { ctx.start::<double>(4).await?.result(ctx).await } else { ctx.run::<double>(4).await };
    ctx.step("see", async || Ok(ctx.state::<Log>().ran(if doubled.is_ok() { "ok" } else { "error" }))).await?;
    Ok(doubled?)
}

#[on_every_database]
async fn a_parent_whose_childs_id_is_taken_is_held_and_makes_its_child_once_it_is_free(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(waits_first, double, slow_double)>()).await;
    for (turn, apart) in [false, true].into_iter().enumerate() {
        let run = house.onward.start::<waits_first>(apart).id("p").await.unwrap();
        let record = run.describe().await.unwrap();
        let taken = onward_types::RunId::of_child(&record.id, record.key, 1);
        let stranger = house.onward.start::<slow_double>(1).id(taken.as_str()).delay(days(9_999)).await.unwrap();
        run.send("go", 1).await.unwrap();
        let held = house.done(run.result()).await.unwrap_err();
        assert!(held.is_conflict() && held.message().contains(taken.as_str()), "{held}");
        assert_eq!(run.status().await.unwrap(), Status::Paused);
        let after = run.steps().await.unwrap().into_iter().filter(|step| step.position > 0);
        assert_eq!(after.count(), 0, "nothing is recorded of a child that there is not");
        // Where it is resumed before the id is free, it is held again.
        run.resume().await.unwrap();
        let again = house.onward.handle::<waits_first>("p");
        assert!(house.done(again.result()).await.unwrap_err().is_conflict());
        stranger.cancel().await.unwrap();
        stranger.delete().await.unwrap();
        run.resume().await.unwrap();
        let again = house.onward.handle::<waits_first>("p");
        assert_eq!(house.done(again.result()).await.unwrap(), 8);
        assert_eq!((house.log.count("ok"), house.log.count("error")), (turn + 1, 0));
        assert_eq!(run.children().await.unwrap()[0].id(), taken.as_str());
        run.delete().with_children().await.unwrap();
    }
}

#[on_every_database]
async fn a_child_that_an_older_version_named_is_found_by_where_it_was_started(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(waits_first, double)>()).await;
    let run = house.onward.start::<waits_first>(false).id("p").await.unwrap();
    let waits = async || run.describe().await.unwrap().reason.contains("topic `go`");
    house.until("it waits", waits).await;
    let key = run.describe().await.unwrap().key;
    // What an older version left behind when it was killed: a child, and no word of it in the parent.
    let file = format!(
        r#"{{"onward_run":2,"id":"p-1","workflow":"double","version":"1","status":"running","owners":1,"recoveries_max":9,
        "created_at":1767225600000000,"updated_at":1767225600000000,"input_hash":1,"input":50,"parent":"{key}","parent_position":1}}"#
    );
    let child = house.onward.import(&file.replace('\n', "")).await.unwrap();
    child.resume().await.unwrap();
    assert_eq!(house.done(child.result()).await.unwrap(), 100);
    house.lose_executor().await;
    let run = house.onward.handle::<waits_first>("p");
    run.send("go", 1).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 100);
    let children = run.children().await.unwrap();
    assert_eq!(children.iter().map(|child| child.id()).collect::<Vec<_>>(), ["p-1"], "no other child was made");
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
    assert!(
        error.code() == "not_registered" && error.message().contains("register it where Onward is opened"),
        "{error}"
    );
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
