//! Cancelling reaches all that a run started, and is taken back with it: a cascade is no child's result.

use onward::prelude::*;
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

/// The same by a start and a result, and with a child of a queue.
#[onward::workflow]
async fn apart(ctx: &Ctx) -> Result<String> {
    let child = ctx.start::<tree>(1).id("depth-1").queue("mail").await?;
    let below = child.result(ctx).await;
    ctx.step("note", async || Ok(ctx.state::<Log>().ran(if below.is_ok() { "ok" } else { "error" }))).await?;
    Ok(below?)
}

async fn status(house: &House, id: &str) -> Status {
    house.onward.handle_named(id).status().await.unwrap()
}

async fn is_waiting(house: &House, id: &str) {
    let run = house.onward.handle_named(id);
    let waits = async || run.describe().await.is_ok_and(|run| run.reason.contains("on topic `word`"));
    house.until("the last of them waits for a word", waits).await;
}

async fn is_let_go(house: &House, ids: &[&str]) {
    for id in ids {
        let run = house.onward.handle_named(*id);
        let let_go = async || run.describe().await.unwrap().executor.is_none();
        house.until("its executor released it", let_go).await;
    }
}

#[on_every_database]
async fn what_was_cancelled_with_its_parent_comes_back_with_it_at_all_depths(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(3).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    run.cancel().await.unwrap();
    let all = ["root", "depth-2", "depth-1", "depth-0"];
    for id in all {
        assert_eq!(status(&house, id).await, Status::Cancelled, "{id}");
    }
    for id in &all[1..] {
        let reason = house.onward.handle_named(*id).describe().await.unwrap().reason;
        assert!(reason.starts_with("cancelled with run `root`"), "{id}: {reason}");
    }
    is_let_go(&house, &all).await;
    run.resume().await.unwrap();
    for id in all {
        assert_ne!(status(&house, id).await, Status::Cancelled, "{id}");
    }
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello...");
    assert_eq!((house.log.count("ok"), house.log.count("error")), (3, 0));
}

#[on_every_database]
async fn a_parked_parent_is_cancelled_with_all_that_it_started(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>().park_after(millis(1))).await;
    let run = house.onward.start::<tree>(3).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    house.until("all are parked", async || house.onward.resident_runs() == 0).await;
    // From elsewhere: no executor is there to cancel the children of what it releases.
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.handle::<tree>("root").cancel().await.unwrap();
    for id in ["root", "depth-2", "depth-1", "depth-0"] {
        assert_eq!(status(&house, id).await, Status::Cancelled, "{id}");
    }
    run.resume().await.unwrap();
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello...");
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn a_resume_before_anybody_released_the_family_is_seen_by_none_of_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(2).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    for _ in 0..5 {
        run.cancel().await.unwrap();
        run.resume().await.unwrap();
    }
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello..");
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn children_have_the_deadline_of_their_parent_and_come_back_with_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(2).id("root").timeout(hours(2)).await.unwrap();
    is_waiting(&house, "depth-0").await;
    let deadline = run.describe().await.unwrap().deadline;
    for id in ["depth-1", "depth-0"] {
        assert_eq!(house.onward.handle_named(id).describe().await.unwrap().deadline, deadline, "{id}");
    }
    house.pass(hours(2)).await;
    house.until("the deadline struck", async || status(&house, "depth-0").await == Status::Cancelled).await;
    assert_eq!(status(&house, "root").await, Status::Cancelled);
    run.resume().await.unwrap();
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    // No leaps: its time runs again.
    let again = house.onward.handle::<tree>("root");
    house.until("it has ended", async || again.status().await.unwrap().is_terminal()).await;
    assert_eq!(again.result().await.unwrap(), "hello..");
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn a_child_that_waited_apart_in_a_queue_lines_up_again(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(tree, apart)>()).await;
    house.onward.queue("mail").concurrency(1).await.unwrap();
    let run = house.onward.start::<apart>(()).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    run.cancel().await.unwrap();
    is_let_go(&house, &["root", "depth-1", "depth-0"]).await;
    run.resume().await.unwrap();
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<apart>("root").result()).await.unwrap(), "hello.");
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn a_child_that_somebody_cancelled_by_itself_is_a_result(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(2).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    house.onward.handle_named("depth-0").cancel().await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(house.log.count("error"), 2);
}

#[on_every_database]
async fn what_was_cancelled_before_its_parent_stays_so_and_what_was_paused_comes_back_paused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(2).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    house.onward.handle_named("depth-0").pause().await.unwrap();
    run.cancel().await.unwrap();
    assert_eq!(status(&house, "depth-0").await, Status::Cancelled);
    is_let_go(&house, &["root", "depth-1", "depth-0"]).await;
    run.resume().await.unwrap();
    let paused = house.onward.handle_named("depth-0").describe().await.unwrap();
    assert_eq!(paused.status, Status::Paused, "{}", paused.reason);
    assert!(paused.reason.starts_with("paused; `resume`"), "{}", paused.reason);

    // Cancelled by itself while its parent is paused, it is a result, whatever becomes of the parent.
    house.onward.handle_named("depth-1").pause().await.unwrap();
    house.onward.handle_named("depth-0").cancel().await.unwrap();
    run.cancel().await.unwrap();
    is_let_go(&house, &["root", "depth-1"]).await;
    run.resume().await.unwrap();
    assert_eq!(status(&house, "depth-0").await, Status::Cancelled);
    house.onward.handle_named("depth-1").resume().await.unwrap();
    assert!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap_err().is_cancelled());
}

#[on_every_database]
async fn a_part_of_a_cancelled_family_comes_back_alone_with_what_is_below_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tree>()).await;
    let run = house.onward.start::<tree>(3).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    run.cancel().await.unwrap();
    is_let_go(&house, &["root", "depth-2", "depth-1", "depth-0"]).await;
    let part = house.onward.handle::<tree>("depth-1");
    part.resume().await.unwrap();
    assert_eq!((status(&house, "root").await, status(&house, "depth-2").await), (Status::Cancelled, Status::Cancelled));
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(part.result()).await.unwrap(), "hello.");
    run.resume().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello...");
    assert_eq!(house.log.count("error"), 0);
}

/// It waits for a run that another one started.
#[onward::workflow]
async fn guest(ctx: &Ctx) -> Result<String> {
    Ok(ctx.run::<tree>(0).id("depth-0").await?)
}

#[on_every_database]
async fn who_waits_for_a_child_of_another_run_is_held_when_it_is_cancelled_with_that_one(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(tree, guest)>()).await;
    let run = house.onward.start::<tree>(1).id("root").await.unwrap();
    is_waiting(&house, "depth-0").await;
    let guest = house.onward.start::<guest>(()).id("guest").await.unwrap();
    house.until("it waits", async || guest.describe().await.unwrap().reason.contains("depth-0")).await;
    run.cancel().await.unwrap();
    let held = house.done(guest.result()).await.unwrap_err();
    assert!(held.code() == "held" && held.message().contains("cancelled together with run `root`"), "{held}");
    assert_eq!(guest.status().await.unwrap(), Status::Paused);
    is_let_go(&house, &["root", "depth-0"]).await;
    run.resume().await.unwrap();
    guest.resume().await.unwrap();
    house.onward.send("depth-0", "word", "hello").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<guest>("guest").result()).await.unwrap(), "hello");
    assert_eq!(house.done(house.onward.handle::<tree>("root").result()).await.unwrap(), "hello.");
}

#[onward::workflow]
async fn forks(ctx: &Ctx) -> Result<String> {
    let child = ctx.start::<tree>(0).await?;
    ctx.step("one", async || Ok(ctx.state::<Log>().ran("one"))).await?;
    Ok(child.result(ctx).await?)
}

#[on_every_database]
async fn a_fork_of_a_cancelled_parent_sees_no_cascade_and_a_restart_has_children_of_its_own(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(tree, forks)>()).await;
    let run = house.onward.start::<forks>(()).id("first").await.unwrap();
    let child = async || run.children().await.unwrap().first().map(|child| child.id().to_owned());
    house.until("its child is there", async || child().await.is_some() && house.log.count("one") == 1).await;
    let child = child().await.unwrap();
    is_waiting(&house, &child).await;
    run.cancel().await.unwrap();
    let fork = run.fork(2).id("fork").await.unwrap();
    let held = house.done(fork.result()).await.unwrap_err();
    assert!(held.code() == "held" && held.message().contains("cancelled together with run `first`"), "{held}");
    let restart = run.restart().id("restart").await.unwrap();
    let own = async || restart.children().await.unwrap().first().map(|child| child.id().to_owned());
    house.until("it has a child of its own", async || own().await.is_some()).await;
    house.onward.handle_named(&child).resume().await.unwrap();
    fork.resume().await.unwrap();
    for child in [child, own().await.unwrap()] {
        house.onward.send(child, "word", "hello").await.unwrap();
    }
    assert_eq!(house.done(house.onward.handle::<forks>("fork").result()).await.unwrap(), "hello");
    assert_eq!(house.done(house.onward.handle::<forks>("restart").result()).await.unwrap(), "hello");
    assert_eq!(run.status().await.unwrap(), Status::Cancelled);
}

#[onward::workflow]
async fn begets(ctx: &Ctx) -> Result<String> {
    ctx.recv::<u8>("go").await?;
    let kid = ctx.start::<tree>(0).id("kid").await?;
    Ok(kid.result(ctx).await?)
}

#[on_every_database(
    only = "postgres",
    because = "a SQLite file has one writer: no cancel comes between a batch and its commit"
)]
async fn a_child_whose_creation_is_in_flight_is_cancelled_once_it_is_there(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(tree, begets)>()).await;
    let run = house.onward.start::<begets>(()).id("root").await.unwrap();
    house.until("it waits", async || run.describe().await.unwrap().reason.contains("topic `go`")).await;
    let (mut session, connection) = tokio_postgres::connect(&house.db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let (watch, connection) = tokio_postgres::connect(&house.db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // The batch has made the child and cannot go on: what took the message cannot be written.
    let lock = session.transaction().await.unwrap();
    lock.batch_execute("lock table checkpoints in exclusive mode").await.unwrap();
    run.send("go", 1).await.unwrap();
    let stalled =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
        and application_name like 'onward%'";
    let is_stalled = async || watch.query_one(stalled, &[]).await.unwrap().get::<_, i64>(0) > 0;
    house.until("its batch is stalled", is_stalled).await;
    run.cancel().await.unwrap();
    house.pass(millis(500)).await;
    lock.rollback().await.unwrap();
    let let_go = async || run.describe().await.unwrap().executor.is_none();
    house.until("its executor released it", let_go).await;
    let kid = house.onward.handle::<tree>("kid");
    let status = async || kid.status().await.ok();
    assert_ne!(status().await, Some(Status::Running), "it is cancelled before its parent is released");
    if status().await.is_some() {
        run.resume().await.unwrap();
        house.until("the child is back", async || status().await != Some(Status::Cancelled)).await;
        kid.send("word", "hello").await.unwrap();
        assert_eq!(house.done(house.onward.handle::<begets>("root").result()).await.unwrap(), "hello");
    }
}
