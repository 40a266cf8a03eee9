//! What becomes of children when the run that started them ends.

use onward::RunOptions;
use onward::prelude::*;
use onward::records::ParentEnd;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

/// Waits for a word.
#[onward::workflow]
async fn child(ctx: &Ctx) -> Result<String> {
    Ok(ctx.recv::<String>("word").await?)
}

/// Has a child of its own.
#[onward::workflow]
async fn branch(ctx: &Ctx) -> Result<()> {
    ctx.start::<child>(()).id("leaf").await?;
    Ok(ctx.sleep(days(900)).await?)
}

/// How the parent ends, and what then becomes of its child.
type Case = (String, Option<ParentEnd>);

#[onward::workflow(backoff = "1s..1s")]
async fn parent(ctx: &Ctx, (how, end): Case) -> Result<String> {
    let mut start = ctx.start::<child>(());
    if let Some(end) = end {
        start = start.on_parent_end(end);
    }
    start.id(format!("child of {}", ctx.run_id())).await?;
    ctx.step("note", async || Ok(ctx.state::<Log>().ran("started"))).await?;
    match how.as_str() {
        "succeeds" => Ok("done".into()),
        "fails" => Err("no luck".into()),
        _ => Ok(ctx.recv::<String>("never").await?),
    }
}

/// Its branch ends with it.
#[onward::workflow]
async fn trunk(ctx: &Ctx) -> Result<()> {
    ctx.start::<branch>(()).id("branch").on_parent_end(ParentEnd::Cancel).await?;
    Ok(ctx.recv("go").await?)
}

/// Starts a child in its first generation, and ends in the second.
#[onward::workflow]
async fn two(ctx: &Ctx, n: u32) -> Result<u32> {
    if n == 1 {
        ctx.start::<child>(()).id("early").on_parent_end(ParentEnd::Wait).await?;
        return Ok(ctx.continue_with(2).await?);
    }
    Ok(n)
}

/// Fails once with a child of each kind.
#[onward::workflow(attempts = 2, backoff = "1s..1s")]
async fn tries(ctx: &Ctx) -> Result<()> {
    let attempt = ctx.step("count", async || Ok(ctx.state::<Log>().ran("tries"))).await?;
    ctx.start::<child>(()).id(format!("cancel {attempt}")).on_parent_end(ParentEnd::Cancel).await?;
    ctx.start::<child>(()).id(format!("leave {attempt}")).await?;
    if attempt == 1 { Err("once more".into()) } else { Ok(ctx.recv("go").await?) }
}

fn all(builder: onward::Builder) -> onward::Builder {
    builder.workflows::<(child, branch, parent, trunk, two, tries)>()
}

async fn status(house: &House, id: &str) -> Status {
    house.onward.handle_named(id).status().await.unwrap()
}

async fn is(house: &House, id: &str, wanted: Status) {
    let there = async || house.onward.handle_named(id).status().await.is_ok_and(|status| status == wanted);
    house.until(&format!("{id} is {wanted}"), there).await;
}

#[on_every_database]
async fn a_child_ends_or_goes_on_as_its_start_says(db: TestDatabase) {
    let house = House::open(db, all).await;
    for (how, ended) in [("succeeds", Status::Succeeded), ("fails", Status::Failed), ("cancelled", Status::Cancelled)] {
        for (end, expected) in [
            (None, if how == "cancelled" { Status::Cancelled } else { Status::Running }),
            (Some(ParentEnd::Cancel), Status::Cancelled),
            (Some(ParentEnd::Leave), Status::Running),
        ] {
            let id = format!("{how} {}", end.map_or("default", ParentEnd::as_str));
            let run = house.onward.start::<parent>((how.to_owned(), end)).id(&id).await.unwrap();
            let there = format!("child of {id}");
            is(&house, &there, Status::Running).await;
            if how == "cancelled" {
                run.cancel().await.unwrap();
            }
            is(&house, &id, ended).await;
            is(&house, &there, expected).await;
            let record = house.onward.handle_named(&there).describe().await.unwrap();
            assert_eq!((record.on_parent_end, record.parent.as_ref().map(|it| it.as_str())), (end, Some(&*id)));
            if end == Some(ParentEnd::Cancel) && how != "cancelled" {
                assert!(record.reason.contains("its parent has ended"), "{}", record.reason);
            }
        }
    }
    // Time goes by: what goes on goes on.
    house.pass(mins(1)).await;
    assert_eq!(status(&house, "child of succeeds leave").await, Status::Running);
    assert_eq!(status(&house, "child of cancelled leave").await, Status::Running);
}

#[on_every_database]
async fn a_child_that_is_left_outlives_the_deadline_of_its_parent(db: TestDatabase) {
    let house = House::open(db, all).await;
    for end in [None, Some(ParentEnd::Leave)] {
        let id = end.map_or("default", ParentEnd::as_str).to_owned();
        house.onward.start::<parent>(("waits".into(), end)).id(&id).timeout(mins(2)).await.unwrap();
        is(&house, &format!("child of {id}"), Status::Running).await;
    }
    house.until("it is over", async || status(&house, "leave").await == Status::Cancelled).await;
    is(&house, "child of default", Status::Cancelled).await;
    assert_eq!(status(&house, "child of leave").await, Status::Running);
}

#[on_every_database]
async fn a_run_waits_for_its_children_before_it_ends_and_uses_no_memory_meanwhile(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    for how in ["succeeds", "fails"] {
        let run = house.onward.start::<parent>((how.to_owned(), Some(ParentEnd::Wait))).id(how).await.unwrap();
        let there = format!("child of {how}");
        let waits = async || run.describe().await.unwrap().reason == format!("waits for child `{there}`");
        house.until("it waits for its child", waits).await;
        let parked = async || run.describe().await.unwrap().executor.is_none();
        house.until("it is parked", parked).await;
    }
    house.lose_executor().await;
    for how in ["succeeds", "fails"] {
        assert_eq!(status(&house, how).await, Status::Running);
        house.onward.handle_named(format!("child of {how}")).send("word", "go").await.unwrap();
    }
    let succeeds = house.onward.handle::<parent>("succeeds");
    assert_eq!(house.done(succeeds.result()).await.unwrap(), "done");
    let fails = house.onward.handle::<parent>("fails");
    assert_eq!(house.done(fails.result()).await.unwrap_err().message(), "no luck");
    let child = house.onward.handle_named("child of fails").describe().await.unwrap();
    assert!(child.finished_at <= fails.describe().await.unwrap().finished_at);
    assert_eq!(house.log.count("started"), 2, "nothing was done twice");
}

#[on_every_database]
async fn the_wait_for_a_child_ends_with_its_cancel_and_the_cancel_of_the_parent_reaches_it(db: TestDatabase) {
    let house = House::open(db, all).await;
    for id in ["a", "b"] {
        let run = house.onward.start::<parent>(("succeeds".into(), Some(ParentEnd::Wait))).id(id).await.unwrap();
        let waits = async || run.describe().await.unwrap().reason.starts_with("waits for child");
        house.until("it waits for its child", waits).await;
    }
    house.onward.handle_named("child of a").cancel().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<parent>("a").result()).await.unwrap(), "done");
    house.onward.handle_named("b").cancel().await.unwrap();
    is(&house, "child of b", Status::Cancelled).await;
}

#[on_every_database]
async fn a_run_that_continued_with_another_input_still_waits_for_a_child_of_its_first_generation(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<two>(1).await.unwrap();
    let waits = async || run.describe().await.unwrap().reason == "waits for child `early`";
    house.until("it waits for its child", waits).await;
    house.onward.handle_named("early").send("word", "go").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
}

#[on_every_database]
async fn a_cancel_at_the_end_of_a_parent_reaches_all_below_even_if_the_executor_is_lost_before(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let run = house.onward.start::<trunk>(()).id("trunk").await.unwrap();
    is(&house, "leaf", Status::Running).await;
    run.send("go", ()).await.unwrap();
    // Its end is committed, and nothing else may have been done when the executor is lost.
    let ended = async || run.status().await.unwrap() == Status::Succeeded;
    house.becomes("it has ended", ended).await;
    house.lose_executor().await;
    is(&house, "branch", Status::Cancelled).await;
    assert_eq!(status(&house, "leaf").await, Status::Cancelled);
}

#[on_every_database]
async fn a_failed_attempt_cancels_the_children_that_end_with_it_and_leaves_the_others(db: TestDatabase) {
    let house = House::open(db, all).await;
    house.onward.start::<tries>(()).id("tries").await.unwrap();
    is(&house, "cancel 2", Status::Running).await;
    is(&house, "cancel 1", Status::Cancelled).await;
    let reason = house.onward.handle_named("cancel 1").describe().await.unwrap().reason;
    assert!(reason.contains("the attempt that started it has failed"), "{reason}");
    house.pass(mins(1)).await;
    for id in ["leave 1", "leave 2", "cancel 2"] {
        assert_eq!(status(&house, id).await, Status::Running, "{id}");
    }
}

#[on_every_database]
async fn a_run_without_a_parent_is_refused_what_belongs_to_a_child(db: TestDatabase) {
    let house = House::open(db, all).await;
    let options = RunOptions { on_parent_end: Some(ParentEnd::Wait), ..RunOptions::default() };
    let refused = house.onward.start::<child>(()).options(options).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("has no parent"), "{refused}");
}
