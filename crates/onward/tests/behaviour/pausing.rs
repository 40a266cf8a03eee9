//! A workflow pauses its own run.

use onward::Code;
use onward::prelude::*;
use onward::records::{ReasonKind, StepKind, StepState};
use onward_testkit::{TestDatabase, on_every_database};

use crate::foreign::Foreign;
use crate::house::{House, Log};

async fn counted(ctx: &Ctx, name: &str) -> Result<usize> {
    Ok(ctx.step(name, async || Ok(ctx.state::<Log>().ran(name))).await?)
}

/// Pauses between two steps.
#[onward::workflow]
async fn pays(ctx: &Ctx) -> Result<usize> {
    let before = counted(ctx, "before").await?;
    ctx.pause("the bank is closed").error(Error::new(Code::TimedOut, "no answer from the bank")).await?;
    Ok(before + counted(ctx, "after").await?)
}

#[onward::workflow]
async fn pays_later(ctx: &Ctx) -> Result<usize> {
    ctx.sleep(secs(1)).await?;
    let before = counted(ctx, "before").await?;
    ctx.pause("the bank is closed").await?;
    Ok(before + counted(ctx, "after").await?)
}

/// Pauses while another branch works, and after a third one is done.
#[onward::workflow]
async fn beside(ctx: &Ctx) -> Result<usize> {
    let slow = ctx.step("slow", async || match ctx.state::<Log>().ran("slow") {
        1 => std::future::pending().await,
        times => Ok(times),
    });
    let pauses = async {
        let quick = counted(ctx, "quick").await?;
        ctx.pause("one branch has a question").await?;
        Ok::<_, onward::BoxError>(quick)
    };
    let (slow, quick) = futures_util::future::join(slow, pauses).await;
    Ok(slow? * 10 + quick?)
}

/// Two branches that pause the run, each for itself.
#[onward::workflow]
async fn both(ctx: &Ctx) -> Result<()> {
    let (one, two) = futures_util::future::join(ctx.pause("one"), ctx.pause("two")).await;
    Ok(one.and(two)?)
}

/// The pause is dropped before the run is paused.
#[onward::workflow]
async fn changes_its_mind(ctx: &Ctx) -> Result<bool> {
    let won = ctx.select((ctx.pause("never mind"), ctx.now())).await?;
    Ok(matches!(won, Either::Right(_)))
}

#[onward::workflow]
async fn family(ctx: &Ctx) -> Result<usize> {
    Ok(ctx.run::<pays>(()).id("child").await?)
}

async fn is_paused<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    let left = async || {
        let record = run.describe().await.unwrap();
        record.status == Status::Paused && record.executor.is_none()
    };
    house.becomes(&format!("{} is paused", run.id()), left).await;
}

#[on_every_database]
async fn a_run_that_pauses_itself_shows_why_and_passes_the_call_once_it_is_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<pays>()).await;
    let run = house.onward.start::<pays>(()).await.unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Code::TimedOut, "no answer from the bank"),
        "the caller that waits is told"
    );
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.reason.as_str()), (Status::Paused, "the bank is closed"));
    let said = Some("the bank is closed".to_owned());
    assert_eq!(record.why.kind, ReasonKind::Paused { said, position: Some(1) }, "it is no hold by its executor");
    assert!(record.waits.is_empty() && !record.waits_for_person());
    assert!(record.error.unwrap().as_str().contains("no answer from the bank"));
    let steps = run.steps().await.unwrap();
    assert_eq!((steps[1].kind, steps[1].state), (StepKind::Pause, StepState::Waiting));
    assert_eq!(house.log.count("after"), 0);

    assert_eq!(run.resume().await.unwrap().runs, 1);
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    let steps = run.steps().await.unwrap();
    assert_eq!((steps[1].kind, steps[1].state), (StepKind::Pause, StepState::Succeeded));
    assert!(steps[1].started_at <= steps[1].finished_at, "it was paused since then");
    assert_eq!((house.log.count("before"), house.log.count("after")), (1, 1));
}

#[on_every_database]
async fn a_pause_without_an_error_says_its_reason_to_whoever_waits(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<both>()).await;
    let run = house.onward.start::<both>(()).await.unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (Code::Held, "one"));
    // The other branch pauses the run in its turn.
    run.resume().await.unwrap();
    house.becomes("it pauses again", async || run.describe().await.unwrap().reason == "two").await;
    is_paused(&house, &run).await;
    run.resume().await.unwrap();
    house.done(run.result()).await.unwrap();
}

#[on_every_database]
async fn a_resumed_run_does_not_pause_again_if_its_executor_is_lost_before_it_goes_on(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<pays>()).await;
    let run = house.onward.start::<pays>(()).id("r").await.unwrap();
    is_paused(&house, &run).await;
    // Lost while it is paused: it stays so.
    house.lose_executor().await;
    let run = house.onward.handle::<pays>("r");
    assert_eq!(run.status().await.unwrap(), Status::Paused);

    // Resumed while no executor is there that has recorded anything since.
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let nobody = Onward::open("sqlite::memory:").launch().await.unwrap();
    drop(std::mem::replace(&mut house.onward, nobody));
    client.handle_named("r").resume().await.unwrap();
    drop(client);
    house.lose_executor().await;
    let run = house.onward.handle::<pays>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    assert_eq!((house.log.count("before"), house.log.count("after")), (1, 1));
}

#[on_every_database]
async fn a_run_that_was_paused_by_itself_and_then_cancelled_passes_the_call_once_it_is_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<pays>()).await;
    let run = house.onward.start::<pays>(()).id("r").await.unwrap();
    is_paused(&house, &run).await;
    run.cancel().await.unwrap();
    run.resume().await.unwrap();
    // This handle has seen the run leave.
    let run = house.onward.handle::<pays>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
}

#[on_every_database]
async fn a_child_that_pauses_itself_is_paused_again_when_its_cancelled_parent_is_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(family, pays)>()).await;
    let parent = house.onward.start::<family>(()).id("parent").await.unwrap();
    let child = house.onward.handle::<pays>("child");
    house.becomes("the child pauses", async || child.status().await.is_ok_and(|it| it == Status::Paused)).await;
    parent.cancel().await.unwrap();
    house.becomes("both are released", async || house.onward.resident_runs() == 0).await;
    parent.resume().await.unwrap();
    assert_eq!(child.status().await.unwrap(), Status::Paused, "nobody has resumed it by itself");
    child.resume().await.unwrap();
    let parent = house.onward.handle::<family>("parent");
    assert_eq!(house.done(parent.result()).await.unwrap(), 2);
}

#[on_every_database]
async fn other_branches_keep_what_they_have_and_begin_again_where_they_were(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<beside>()).await;
    let run = house.onward.start::<beside>(()).id("r").await.unwrap();
    is_paused(&house, &run).await;
    assert_eq!((house.log.count("slow"), house.log.count("quick")), (1, 1));
    run.resume().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<beside>("r").result()).await.unwrap(), 21);
    assert_eq!((house.log.count("slow"), house.log.count("quick")), (2, 1));
}

#[on_every_database]
async fn a_pause_that_loses_a_race_does_not_pause(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<changes_its_mind>()).await;
    let run = house.onward.start::<changes_its_mind>(()).await.unwrap();
    assert!(run.result().await.unwrap());
}

#[on_every_database]
async fn a_fork_of_a_paused_run_pauses_itself_and_one_that_begins_later_does_not(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<pays>()).await;
    let run = house.onward.start::<pays>(()).id("r").await.unwrap();
    is_paused(&house, &run).await;
    let early = run.fork(2).id("early").await.unwrap();
    is_paused(&house, &early).await;
    assert_eq!(early.describe().await.unwrap().reason, "the bank is closed");
    early.resume().await.unwrap();
    let early = house.onward.handle::<pays>("early");
    assert_eq!(house.done(early.result()).await.unwrap(), 2);
    let late = early.fork(2).id("late").await.unwrap();
    assert_eq!(house.done(late.result()).await.unwrap(), 3, "the second time that `after` runs");
    assert_eq!(run.status().await.unwrap(), Status::Paused);
}

#[on_every_database]
async fn a_paused_run_passes_the_call_where_it_was_imported_and_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<pays>()).await;
    let run = house.onward.start::<pays>(()).id("r").await.unwrap();
    is_paused(&house, &run).await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    let record = copy.describe().await.unwrap();
    assert_eq!((record.status, record.reason.as_str()), (Status::Paused, "the bank is closed"));
    copy.resume().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<pays>("copy").result()).await.unwrap(), 2);
    assert_eq!(house.log.count("before"), 1);
}

/// The run cannot leave while its row is locked. Neither may the pause be recorded before it has left.
#[on_every_database(only = "postgres", because = "on SQLite nobody can lock a row by itself")]
async fn a_run_whose_row_is_locked_is_paused_later_and_not_passed_if_its_executor_is_lost_before(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<pays_later>()).await;
    let run = house.onward.start::<pays_later>(()).id("r").await.unwrap();
    house.becomes("it sleeps", async || !run.steps().await.unwrap().is_empty()).await;
    let foreign = Foreign::begins(&house.db).await;
    foreign.does("select * from runs where id = 'r' for no key update").await;
    house.clock.advance(secs(1));
    house.becomes("it is about to pause", async || house.log.count("before") == 1).await;
    let recorded = "select count(*) from checkpoints where kind = 'step'";
    house.becomes("what it did is recorded", async || foreign.number(recorded).await == 1).await;
    for _ in 0..100 {
        assert_eq!(foreign.number("select count(*) from waits where kind = 'resume'").await, 0);
        assert_eq!(foreign.number("select count(*) from runs where status = 'running'").await, 1);
    }
    let nobody = Onward::open("sqlite::memory:").launch().await.unwrap();
    drop(std::mem::replace(&mut house.onward, nobody));
    foreign.gives_up().await;
    house.lose_executor().await;
    let run = house.onward.handle::<pays_later>("r");
    is_paused(&house, &run).await;
    assert_eq!((house.log.count("before"), house.log.count("after")), (1, 0));
    run.resume().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<pays_later>("r").result()).await.unwrap(), 2);
}
