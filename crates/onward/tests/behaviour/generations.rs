//! Runs that continue with another input, generation after generation.

use futures_util::StreamExt;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::foreign::Foreign;
use crate::house::{House, Log};

#[onward::workflow]
async fn counts(ctx: &Ctx, n: u32) -> Result<u32> {
    let step = ctx.step("count", async || {
        ctx.state::<Log>().ran(&ctx.idempotency_key());
        Ok(ctx.state::<Log>().ran("count"))
    });
    step.await?;
    if n < 3 { Ok(ctx.continue_with(n + 1).await?) } else { Ok(n) }
}

/// Sleeps in each generation, and says how often it was replayed from the beginning of the run.
#[onward::workflow]
async fn sleeps(ctx: &Ctx, n: u32) -> Result<u32> {
    ctx.step("work", async || Ok(ctx.state::<Log>().ran(&format!("work {n}")))).await?;
    ctx.sleep(hours(1)).await?;
    if n < 2 { Ok(ctx.continue_with(n + 1).await?) } else { Ok(n) }
}

/// The same within a lease.
#[onward::workflow]
async fn naps(ctx: &Ctx, n: u32) -> Result<u32> {
    ctx.step("work", async || Ok(ctx.state::<Log>().ran(&format!("nap {n}")))).await?;
    ctx.sleep(secs(1)).await?;
    if n < 2 { Ok(ctx.continue_with(n + 1).await?) } else { Ok(n) }
}

/// Its input grows beyond what is stored in the run's row, and shrinks again.
#[onward::workflow]
async fn grows(ctx: &Ctx, text: String) -> Result<usize> {
    match text.len() {
        1 => Ok(ctx.continue_with("long".repeat(1_000)).await?),
        4_000 => Ok(ctx.continue_with("short").await?),
        len => Ok(len),
    }
}

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

#[derive(Serialize, Deserialize)]
struct Talk {
    generation: u32,
    children: Vec<String>,
}

/// Says and hears things in two generations.
#[onward::workflow]
async fn talks(ctx: &Ctx, mut talk: Talk) -> Result<Vec<String>> {
    let hook = ctx.hook::<String>().token("ask").await?;
    let child = ctx.start::<waits>(()).await?;
    talk.children.push(child.id().to_string());
    ctx.stream("log").append(talk.generation).await?;
    if talk.generation == 1 {
        ctx.set_event("stage", "one").await?;
        let tried = ctx.step("tries", async || {
            ctx.stream("log").append("tried").await?;
            if ctx.attempt() == 1 { Err("again".into()) } else { Ok(()) }
        });
        tried.attempts(2).backoff(millis(1)..millis(1)).await?;
        ctx.recv::<()>("go").await?;
        talk.generation = 2;
        return Ok(ctx.continue_with(&talk).await?);
    }
    let later = ctx.recv::<String>("later").await?;
    let stage = ctx.get_event::<String>(ctx.run_id(), "stage").await?.unwrap_or_default();
    let patched = ctx.patched("new").await?.to_string();
    Ok([vec![hook.recv().await?, later, stage, patched], talk.children].concat())
}

fn all(builder: onward::Builder) -> onward::Builder {
    builder.workflows::<(counts, sleeps, naps, grows, waits, talks)>()
}

#[on_every_database]
async fn a_run_begins_again_with_another_input_under_the_same_id_and_shows_its_last_generation(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<counts>(0).id("r").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 3);
    let record = run.describe().await.unwrap();
    assert_eq!((record.generation, record.input.as_ref().unwrap().as_str()), (4, "3"));
    assert_eq!(house.log.count("count"), 4);
    let steps = run.steps().await.unwrap();
    assert_eq!((steps.len(), steps[0].output.as_ref().unwrap().as_str()), (1, "4"));
    for step in 0..4 {
        // Each generation has one step and the call that ends it.
        let key = format!("{}:{}", record.key.0.simple(), step * 2);
        assert_eq!(house.log.count(&key), 1, "no key is used twice");
    }
    assert_eq!(steps[0].position, 6, "positions are counted on");
    // To start it again means this run.
    assert_eq!(house.onward.start::<counts>(0).id("r").await.unwrap().result().await.unwrap(), 3);
    assert!(house.onward.start::<counts>(3).id("r").await.unwrap_err().is_conflict());
}

#[on_every_database]
async fn an_executor_that_is_lost_leaves_one_generation_and_nothing_is_done_twice(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    house.onward.start::<sleeps>(0).id("r").timeout(days(1)).await.unwrap();
    for generation in 1..=3 {
        let name = format!("work {}", generation - 1);
        let asleep = async || {
            let run = house.onward.handle::<sleeps>("r");
            run.describe().await.unwrap().generation == generation && run.steps().await.unwrap().len() == 2
        };
        house.until(&format!("generation {generation} sleeps"), asleep).await;
        assert_eq!(house.log.count(&name), 1);
        house.lose_executor().await;
        house.pass(hours(1)).await;
    }
    let run = house.onward.handle::<sleeps>("r");
    // No leaps: the run has a day.
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    assert_eq!(run.result().await.unwrap(), 2);
    let record = run.describe().await.unwrap();
    let limit = record.deadline.unwrap().as_second() - record.started_at.unwrap().as_second();
    assert_eq!(limit, 86_400, "the limit of all its generations together");
    for n in 0..3 {
        assert_eq!(house.log.count(&format!("work {n}")), 1);
    }
}

#[on_every_database]
async fn an_input_may_be_long_in_one_generation_and_short_in_the_next(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<grows>("s".to_owned()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 5);
    let record = run.describe().await.unwrap();
    assert_eq!((record.generation, record.input.as_ref().unwrap().as_str()), (3, "\"short\""));
}

#[on_every_database]
async fn what_a_run_said_and_did_not_hear_yet_stays_and_so_do_its_children(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let talk = Talk { generation: 1, children: Vec::new() };
    let run = house.onward.start::<talks>(talk).id("r").await.unwrap();
    let waits = async || run.steps().await.unwrap().last().is_some_and(|step| step.name == "go");
    house.until("it waits", waits).await;
    house.onward.resume_hook("ask", "payload").await.unwrap();
    run.send("later", "message").await.unwrap();
    run.send("go", ()).await.unwrap();
    let heard = house.done(run.result()).await.unwrap();
    assert_eq!(heard[..4], ["payload", "message", "one", "true"]);
    assert_ne!(heard[4], heard[5], "each generation starts its own children");
    let record = run.describe().await.unwrap();
    assert_eq!(record.generation, 2);
    let said: Vec<_> = run.read_stream::<serde_json::Value>("log").committed().collect().await;
    let said: Vec<_> = said.into_iter().map(|value| value.unwrap().to_string()).collect();
    assert_eq!(said, ["1", "\"tried\"", "2"], "of two attempts one counts");

    // Its children of both generations are there and can still be talked to.
    let children = run.children().await.unwrap();
    assert_eq!(children.len(), 2);
    for child in &children {
        child.send("n", 7).await.unwrap();
        assert_eq!(house.done(child.result()).await.unwrap(), 7);
    }

    // A fork from the beginning of this generation has what earlier ones said; one from position 0 begins with nothing.
    let first = run.steps().await.unwrap()[0].position;
    let fork = run.fork(first).id("fork").await.unwrap();
    assert_eq!(fork.get_event::<String>("stage").await.unwrap().as_deref(), Some("one"));
    let record = fork.describe().await.unwrap();
    assert_eq!((record.generation, record.fork_position), (2, Some(first)));
    fork.send("later", "again").await.unwrap();
    let forked =
        async || fork.steps().await.unwrap().iter().any(|step| step.name == "ask" && step.finished_at.is_none());
    house.until("the fork waits at its hook", forked).await;
    house.onward.resume_hook("ask", "to the fork").await.unwrap();
    let heard_by_fork = house.done(fork.result()).await.unwrap();
    assert_eq!(heard_by_fork[1..4], ["again", "one", "true"]);
    let fresh = run.restart().id("fresh").await.unwrap();
    assert!(fresh.events().await.unwrap().is_empty());
    assert_eq!(fresh.describe().await.unwrap().generation, 1);
    house.lose_executor().await;
}

#[on_every_database]
async fn a_run_continues_in_its_generation_where_it_was_imported(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<sleeps>(0).id("r").await.unwrap();
    let in_generation = async |run: &WorkflowHandle<u32>, generation| {
        run.describe().await.unwrap().generation == generation && run.steps().await.unwrap().len() == 2
    };
    house.becomes("it sleeps", async || in_generation(&run, 1).await).await;
    house.pass(hours(1)).await;
    house.until("its second generation sleeps", async || in_generation(&run, 2).await).await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap().typed::<u32>();
    let (there, here) = (copy.steps().await.unwrap(), run.steps().await.unwrap());
    assert_eq!(there[0].position, here[0].position);
    copy.resume().await.unwrap();
    house.pass(hours(1)).await;
    house.until("its third generation sleeps", async || in_generation(&copy, 3).await).await;
    house.pass(hours(1)).await;
    assert_eq!(house.done(house.onward.handle::<sleeps>("copy").result()).await.unwrap(), 2);
    assert_eq!(house.log.count("work 1"), 1);
}

#[on_every_database]
async fn a_child_of_an_earlier_generation_can_be_deleted_while_its_parent_goes_on(db: TestDatabase) {
    let house = House::open(db, all).await;
    let talk = Talk { generation: 1, children: Vec::new() };
    let run = house.onward.start::<talks>(talk).id("r").await.unwrap();
    let waits = async || run.steps().await.unwrap().last().is_some_and(|step| step.name == "go");
    house.until("it waits", waits).await;
    let child = run.children().await.unwrap().remove(0);
    child.send("n", 7).await.unwrap();
    house.done(child.result()).await.unwrap();
    assert_eq!(child.delete().await.unwrap_err().code(), "illegal_move", "its parent may still ask for its result");
    run.send("go", ()).await.unwrap();
    house.until("the next generation", async || run.describe().await.unwrap().generation == 2).await;
    child.delete().await.unwrap();
    assert_eq!(run.status().await.unwrap(), Status::Running);
}

/// The run cannot leave while its row is locked. Nothing it has recorded may be gone before it has left.
#[on_every_database(only = "postgres", because = "on SQLite nobody can lock a row by itself")]
async fn a_run_whose_row_is_locked_keeps_its_generation_whole_until_it_leaves(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let run = house.onward.start::<naps>(0).id("r").await.unwrap();
    house.becomes("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let foreign = Foreign::begins(&house.db).await;
    foreign.does("select * from runs where id = 'r' for no key update").await;
    house.clock.advance(secs(1));
    let slept = "select count(*) from checkpoints where kind = 'sleep'";
    house.becomes("it is about to continue", async || foreign.number(slept).await == 1).await;
    for _ in 0..100 {
        assert_eq!(foreign.number("select count(*) from checkpoints").await, 2);
        assert_eq!(foreign.number("select count(*) from runs where first_position is not null").await, 0);
    }
    let nobody = Onward::open("sqlite::memory:").launch().await.unwrap();
    drop(std::mem::replace(&mut house.onward, nobody));
    foreign.gives_up().await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<naps>("r").result()).await.unwrap(), 2);
    assert_eq!((house.log.count("nap 0"), house.log.count("nap 1")), (1, 1));
}
