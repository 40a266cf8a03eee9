//! A run that is paused with all that it started comes back by one resume, and what was paused before stays paused.

use onward::prelude::*;
use onward::{Clock, Filter};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

/// A child below a child, down to one that waits for a word.
#[onward::workflow]
async fn tree(ctx: &Ctx, depth: u32) -> Result<String> {
    if depth == 0 {
        return Ok(ctx.recv::<String>("word").await?);
    }
    let below = ctx.run::<tree>(depth - 1).id(format!("depth-{}", depth - 1)).await;
    ctx.step("note", async || Ok(ctx.state::<Log>().ran(if below.is_ok() { "ok" } else { "error" }))).await?;
    Ok(format!("{}.", below?))
}

const ALL: [&str; 4] = ["root", "depth-2", "depth-1", "depth-0"];

/// A family of four, of which the last one waits for a word.
async fn family(house: &House) -> WorkflowHandle<String> {
    let run = house.onward.start::<tree>(3).id("root").await.unwrap();
    let last = house.onward.handle_named("depth-0");
    let waits = async || last.describe().await.is_ok_and(|run| run.reason.contains("on topic `word`"));
    house.until("the last of them waits for a word", waits).await;
    run
}

async fn status(house: &House, id: &str) -> Status {
    house.onward.handle_named(id).status().await.unwrap()
}

async fn paused(house: &House) -> Vec<&'static str> {
    let mut paused = Vec::new();
    for id in ALL {
        paused.extend((status(house, id).await == Status::Paused).then_some(id));
    }
    paused
}

async fn is_let_go(house: &House) {
    for id in ALL {
        let run = house.onward.handle_named(id);
        let let_go = async || run.describe().await.unwrap().executor.is_none();
        house.until("its executor released it", let_go).await;
    }
}

/// The last one gets its word, and the family ends as if it had not been stopped.
async fn ends_well(house: &House) {
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello...");
    assert_eq!((house.log.count("ok"), house.log.count("error")), (3, 0));
}

#[on_every_database]
async fn a_family_is_paused_at_all_depths_and_comes_back_by_one_resume(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    let done = run.pause().with_children().by("ann").reason("lunch").await.unwrap();
    assert_eq!((done.found, done.runs), (Status::Running, 4));
    assert_eq!(paused(&house).await, ALL);
    let reason = house.onward.handle_named("depth-0").describe().await.unwrap().reason;
    assert!(reason.starts_with("paused with run `root`, paused by ann: \"lunch\""), "{reason}");
    is_let_go(&house).await;
    assert_eq!(house.onward.resident_runs(), 0);
    assert!(!run.pause().with_children().await.unwrap().changed(), "all of them are paused");
    assert_eq!(run.resume().await.unwrap().runs, 4);
    assert!(paused(&house).await.is_empty());
    ends_well(&house).await;
}

#[on_every_database]
async fn without_its_children_a_run_is_paused_alone(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    assert_eq!(run.pause().await.unwrap().runs, 1);
    assert_eq!(paused(&house).await, ["root"]);
    assert_eq!(run.pause().with_children().await.unwrap().runs, 3, "now its descendants too");
    assert_eq!(paused(&house).await, ALL);
    assert_eq!(run.resume().await.unwrap().runs, 4);
    ends_well(&house).await;
}

#[on_every_database]
async fn who_was_paused_by_itself_before_stays_paused_unless_all_are_meant(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    house.onward.handle_named("depth-1").pause().by("bob").await.unwrap();
    assert_eq!(run.pause().with_children().await.unwrap().runs, 3);
    assert_eq!(run.resume().await.unwrap().runs, 3);
    assert_eq!(paused(&house).await, ["depth-1"]);
    assert!(!run.resume().await.unwrap().changed());
    run.pause().with_children().await.unwrap();
    assert_eq!(run.resume().with_children().await.unwrap().runs, 4);
    house.onward.handle_named("depth-1").pause().await.unwrap();
    let back = run.resume().with_children().await.unwrap();
    assert_eq!((back.found.is_terminal(), back.runs), (false, 1), "the root itself was not stopped");
    ends_well(&house).await;
}

#[on_every_database]
async fn part_of_a_paused_family_comes_back_by_itself(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    run.pause().with_children().await.unwrap();
    assert_eq!(house.onward.handle_named("depth-1").resume().await.unwrap().runs, 2);
    assert_eq!(paused(&house).await, ["root", "depth-2"]);
    is_let_go_of(&house, &["root", "depth-2"]).await;
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    house.until("that part has ended", async || status(&house, "depth-1").await == Status::Succeeded).await;
    assert_eq!(run.resume().await.unwrap().runs, 2);
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello...");
}

async fn is_let_go_of(house: &House, ids: &[&str]) {
    for id in ids {
        let run = house.onward.handle_named(*id);
        house.until("its executor released it", async || run.describe().await.unwrap().executor.is_none()).await;
    }
}

#[on_every_database]
async fn a_paused_family_survives_its_executor(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    run.pause().with_children().await.unwrap();
    house.lose_executor().await;
    is_let_go(&house).await;
    house.pass(days(3)).await;
    assert_eq!(paused(&house).await, ALL);
    assert_eq!(house.onward.handle_named("root").resume().await.unwrap().runs, 4);
    ends_well(&house).await;
}

#[on_every_database]
async fn a_paused_family_that_is_cancelled_comes_back_as_a_whole(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    run.pause().with_children().await.unwrap();
    assert_eq!(run.cancel().await.unwrap().runs, 4);
    is_let_go(&house).await;
    assert_eq!(run.resume().await.unwrap().runs, 4);
    assert!(paused(&house).await.is_empty());
    ends_well(&house).await;
}

#[on_every_database]
async fn a_part_that_was_paused_before_its_family_was_cancelled_comes_back_paused_and_then_as_a_whole(
    db: TestDatabase,
) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    let part = house.onward.handle_named("depth-1");
    assert_eq!(part.pause().with_children().by("ann").await.unwrap().runs, 2);
    assert_eq!(run.cancel().await.unwrap().runs, 4);
    is_let_go(&house).await;
    run.resume().await.unwrap();
    assert_eq!(paused(&house).await, ["depth-1", "depth-0"]);
    let again = part.describe().await.unwrap();
    assert!(again.reason.starts_with("paused by ann"), "{}", again.reason);
    assert_eq!(again.steered.unwrap().by.as_deref(), Some("ann"));
    assert_eq!(part.resume().await.unwrap().runs, 2);
    ends_well(&house).await;
}

#[onward::workflow]
async fn begets(ctx: &Ctx) -> Result<u32> {
    let mut ended = 0;
    for _ in 0..5 {
        ended += ctx.run::<nap>(()).await?;
    }
    Ok(ended)
}

#[onward::workflow]
async fn nap(ctx: &Ctx) -> Result<u32> {
    ctx.step("nap", async || Ok(ctx.state::<Log>().ran("nap"))).await?;
    Ok(1)
}

#[on_every_database]
async fn no_child_escapes_that_is_started_while_its_family_is_paused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(begets, nap)>()).await;
    let runs = futures_util::future::join_all((0..12).map(|_| house.onward.start::<begets>(()))).await;
    let runs: Vec<WorkflowHandle<u32>> = runs.into_iter().map(Result::unwrap).collect();
    for (at, run) in runs.iter().enumerate() {
        for _ in 0..at * 5 {
            tokio::task::yield_now().await;
        }
        // It may have ended before.
        if let Err(late) = run.pause().with_children().await {
            assert_eq!(late.code(), "illegal_move");
        }
    }
    let all = async || house.onward.list(Filter { limit: Some(1_000), ..Filter::default() }).await.unwrap().items;
    let stopped = async || all().await.iter().all(|run| run.executor.is_none());
    house.until("every run is paused or has ended, and is released", stopped).await;
    let open = all().await.into_iter().filter(|run| !run.status.is_terminal());
    for run in open {
        assert_eq!(run.status, Status::Paused, "{}: {}", run.id, run.reason);
    }
    for run in &runs {
        if run.status().await.unwrap() == Status::Paused {
            run.resume().await.unwrap();
        }
        assert_eq!(house.done(house.onward.handle::<begets>(run.id()).result()).await.unwrap(), 5);
    }
}

#[on_every_database]
async fn a_paused_family_in_a_file_comes_back_by_one_resume(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = family(&house).await;
    house.onward.handle_named("depth-1").pause().await.unwrap();
    run.pause().with_children().by("ann").await.unwrap();
    is_let_go(&house).await;
    let file = run.export().await.unwrap();
    let there = elsewhere(&house.clock, &house.log).await;
    assert_eq!(there.import_all(&file).await.unwrap().len(), 4);
    assert_eq!(there.handle_named("root").resume().await.unwrap().runs, 3);
    let child = there.handle_named("depth-1");
    assert_eq!(child.status().await.unwrap(), Status::Paused, "it was paused by itself");
    child.resume().await.unwrap();
    there.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(there.handle::<tree>("root").result()).await.unwrap(), "hello...");
}

/// Another database with an executor, of the time of the first one.
async fn elsewhere(clock: &Clock, log: &Log) -> Onward {
    let there = Onward::open("sqlite::memory:").clock(clock.clone()).state(log.clone());
    there.workflow::<tree>().launch().await.unwrap()
}

#[on_every_database]
async fn a_deadline_cancels_a_paused_family_and_a_resume_brings_it_back(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(3).id("root").timeout(hours(2)).await.unwrap();
    let last = house.onward.handle_named("depth-0");
    let waits = async || last.describe().await.is_ok_and(|run| run.reason.contains("on topic `word`"));
    house.until("the last of them waits for a word", waits).await;
    run.pause().with_children().await.unwrap();
    house.pass(hours(2)).await;
    house.until("the deadline struck", async || status(&house, "depth-0").await == Status::Cancelled).await;
    assert!(last.describe().await.unwrap().steered.unwrap().is_by_deadline());
    assert_eq!(run.resume().await.unwrap().runs, 4);
    assert!(paused(&house).await.is_empty());
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    // No leaps: its time runs again.
    house.until("it has ended", async || status(&house, "root").await.is_terminal()).await;
    assert_eq!(house.onward.handle::<tree>("root").result().await.unwrap(), "hello...");
}
