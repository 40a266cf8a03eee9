//! A move keeps the times that it does not own: what was to start later still does, sleeps end when they would have, and a
//! deadline stays where it was.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn late(ctx: &Ctx) -> Result<Timestamp> {
    ctx.step("begin", async || Ok(ctx.state::<Log>().ran("begin"))).await?;
    Ok(ctx.now().await?)
}

#[onward::workflow]
async fn sleeps(ctx: &Ctx) -> Result<Timestamp> {
    ctx.step("begin", async || Ok(ctx.state::<Log>().ran("begin"))).await?;
    ctx.sleep(days(3)).await?;
    Ok(ctx.now().await?)
}

#[onward::workflow]
async fn tries(ctx: &Ctx) -> Result<Timestamp> {
    let step = ctx.step("try", async || if ctx.state::<Log>().ran("try") == 1 { Err("again".into()) } else { Ok(()) });
    step.attempts(2).backoff(days(1)..days(1)).await?;
    Ok(ctx.now().await?)
}

/// Take a run off its way, and bring it back.
async fn there_and_back(run: &WorkflowHandle<Timestamp>, how: &str) {
    match how {
        "pause" => run.pause().await.unwrap(),
        "cancel" => run.cancel().await.unwrap(),
        _ => {
            run.pause().await.unwrap();
            run.cancel().await.unwrap()
        }
    };
    run.resume().await.unwrap();
}

#[on_every_database]
async fn what_was_to_start_later_still_does_after_a_pause_or_a_cancel(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<late>()).await;
    house.onward.queue("mail").await.unwrap();
    let starts = house.clock.now() + hours(24);
    let mut runs = Vec::new();
    for how in ["pause", "cancel", "pause and cancel"] {
        for queue in [None, Some("mail")] {
            let start = house.onward.start::<late>(()).id(format!("{how} {queue:?}")).delay(hours(24));
            let run = if let Some(queue) = queue { start.queue(queue).await } else { start.await }.unwrap();
            let before = run.describe().await.unwrap();
            there_and_back(&run, how).await;
            let after = run.describe().await.unwrap();
            assert_eq!((after.status, after.ready_at), (Status::Delayed, before.ready_at), "{how} {queue:?}");
            runs.push(run);
        }
    }
    house.pass(hours(23)).await;
    house.pass(secs(5)).await;
    assert_eq!(house.log.count("begin"), 0);
    for run in runs {
        assert!(house.done(run.result()).await.unwrap() >= starts);
    }
}

#[on_every_database]
async fn a_paused_run_says_when_it_was_to_start_and_starts_at_once_where_that_is_over(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<late>()).await;
    let run = house.onward.start::<late>(()).delay(hours(1)).await.unwrap();
    let starts = run.describe().await.unwrap().ready_at;
    run.pause().await.unwrap();
    let paused = run.describe().await.unwrap();
    assert_eq!((paused.status, paused.ready_at), (Status::Paused, starts));
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    assert_eq!(copy.describe().await.unwrap().ready_at, starts);
    house.pass(hours(2)).await;
    run.resume().await.unwrap();
    house.until("it begins", async || house.log.count("begin") == 1).await;
}

#[on_every_database]
async fn once_a_run_has_begun_it_does_not_wait_again_for_the_time_at_which_it_was_to_start(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeps>()).await;
    let run = house.onward.start::<sleeps>(()).delay(hours(24)).await.unwrap();
    there_and_back(&run, "pause").await;
    assert_eq!(run.status().await.unwrap(), Status::Delayed);
    run.set_delay(secs(0)).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    there_and_back(&run, "pause").await;
    assert_ne!(run.status().await.unwrap(), Status::Delayed);
}

#[on_every_database]
async fn what_gathered_inputs_keeps_its_time_and_gathers_no_more(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<indexes>()).await;
    let debounce =
        async |text: &str| house.onward.start::<indexes>(text.to_owned()).debounce("doc", hours(1)).await.unwrap();
    let first = debounce("one").await;
    let starts = first.describe().await.unwrap().ready_at;
    first.pause().await.unwrap();
    let second = debounce("two").await;
    assert_ne!(second.id(), first.id());
    first.resume().await.unwrap();
    let record = first.describe().await.unwrap();
    assert_eq!((record.status, record.ready_at), (Status::Delayed, starts));
    assert_eq!(house.done(first.result()).await.unwrap(), "one");
    assert_eq!(house.done(second.result()).await.unwrap(), "two");
}

#[onward::workflow]
async fn indexes(_ctx: &Ctx, text: String) -> Result<String> {
    Ok(text)
}

#[on_every_database]
async fn sleeps_retries_and_deadlines_keep_their_time(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(sleeps, tries)>()).await;
    let began = house.clock.now();
    let sleeping = house.onward.start::<sleeps>(()).timeout(days(30)).await.unwrap();
    let trying = house.onward.start::<tries>(()).await.unwrap();
    let both = async || sleeping.steps().await.unwrap().len() == 2 && house.log.count("try") == 1;
    house.until("one sleeps, the other waits for its next attempt", both).await;
    house.until("that is written down", async || trying.describe().await.unwrap().reason.contains("attempt")).await;
    let deadline = sleeping.describe().await.unwrap().deadline;
    for how in ["pause", "cancel"] {
        there_and_back(&sleeping, how).await;
        there_and_back(&trying, how).await;
    }
    assert_eq!(sleeping.describe().await.unwrap().deadline, deadline);
    house.pass(hours(12)).await;
    house.pass(secs(5)).await;
    assert_eq!(house.log.count("try"), 1);
    house.pass(hours(12)).await;
    house.until("the next attempt ran", async || house.log.count("try") == 2).await;
    assert!(house.done(trying.result()).await.unwrap() >= began + days(1));
    assert!(!sleeping.status().await.unwrap().is_terminal());
    house.pass(days(2)).await;
    house.until("the sleep is over", async || sleeping.status().await.unwrap() == Status::Succeeded).await;
    assert!(sleeping.result().await.unwrap() >= began + days(3));
}

#[on_every_database]
async fn an_imported_run_keeps_a_deadline_that_is_still_to_come(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeps>()).await;
    let run = house.onward.start::<sleeps>(()).timeout(days(2)).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let file = run.export().await.unwrap();
    let early = house.onward.import_as(&file, "early").await.unwrap();
    assert_eq!(early.describe().await.unwrap().deadline, run.describe().await.unwrap().deadline);
    house.pass(days(2)).await;
    house.until("it struck", async || early.status().await.unwrap() == Status::Cancelled).await;
    let late = house.onward.import_as(&file, "late").await.unwrap();
    assert_eq!(late.describe().await.unwrap().deadline, None);
}
