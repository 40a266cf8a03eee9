//! A run as a file: it goes from one database to another, and on where it was.

use onward::Onward;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::step(attempts = 3, backoff = "1ms..1ms")]
async fn hard(ctx: &Ctx) -> Result<String> {
    let attempt = ctx.state::<Log>().ran("hard");
    ctx.stream("tries").append(&attempt).await?;
    if attempt == 1 { Err("again\n".into()) } else { Ok("x".repeat(3_000)) }
}

#[onward::workflow]
async fn travels(ctx: &Ctx, text: String) -> Result<String> {
    ctx.set_event("stage", &"begun").await?;
    let long = hard(ctx).await?;
    ctx.stream("raw").append_bytes(*b"\0\xff").await?;
    let heard = ctx.recv::<String>("topic").await?;
    ctx.set_event("stage", &heard).await?;
    ctx.sleep(days(10)).await?;
    let last = ctx.recv::<String>("topic").await?;
    Ok(format!("{} {} {heard} {last}", text.len(), long.len()))
}

#[onward::workflow]
async fn fails(ctx: &Ctx) -> Result<()> {
    Ok(ctx.step("fail", async || Err("no".into())).await?)
}

#[onward::workflow]
async fn asks(ctx: &Ctx) -> Result<String> {
    let hook = ctx.hook::<String>().token("approve").await?;
    Ok(hook.recv().await?)
}

/// A house with a run that sleeps, and has said and heard this and that.
async fn house_with_a_run(db: TestDatabase) -> (House, WorkflowHandle<String>) {
    let house = House::open(db, |b| b.workflows::<(travels, fails)>()).await;
    let start = house.onward.start::<travels>("é\"\u{1}".repeat(700)).id("first").authenticated_as("ann", ["clerk"]);
    let run = start.attributes(serde_json::json!({"team": "blue"})).await.unwrap();
    for (message, key) in [("one", "k1"), ("two", "k2")] {
        run.send("topic", &message).key(key).await.unwrap();
    }
    // The calls are: event, step, append, recv, event, sleep.
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 6).await;
    (house, run)
}

#[on_every_database]
async fn a_run_goes_on_in_another_database_as_if_it_had_begun_there(db: TestDatabase) {
    let (house, run) = house_with_a_run(db).await;
    let file = run.export().await.unwrap();
    let before = (run.describe().await.unwrap(), run.steps().await.unwrap());

    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).state(house.log.clone());
    let there = there.workflows::<(travels, fails)>().launch().await.unwrap();
    let taken = there.import(&file).await.unwrap();
    let after = (taken.describe().await.unwrap(), taken.steps().await.unwrap());
    assert_eq!((after.0.status, after.0.executor), (Status::Paused, None));
    assert!(after.0.reason.contains("imported"), "{}", after.0.reason);
    assert_ne!(after.0.key, before.0.key);
    assert_eq!(
        (after.0.input, after.0.created_at, after.0.attributes, after.0.identity),
        (before.0.input, before.0.created_at, before.0.attributes, before.0.identity)
    );
    assert_eq!(serde_json::to_value(&after.1).unwrap(), serde_json::to_value(&before.1).unwrap());
    assert_eq!(taken.events().await.unwrap(), run.events().await.unwrap());
    assert_eq!(taken.streams().await.unwrap(), run.streams().await.unwrap());
    let raw = taken.stream::<String>("raw").chunks().next().await.unwrap().unwrap();
    assert_eq!(raw.body, onward::ChunkBody::Bytes((*b"\0\xff").into()));
    assert_eq!(taken.export().await.unwrap().lines().count(), file.lines().count(), "nothing is left out");

    assert_eq!(there.start::<travels>("other".into()).id("first").await.unwrap_err().code(), "conflict");
    taken.send("topic", &"two").key("k2").await.unwrap();
    taken.resume().await.unwrap();
    assert_eq!(house.done(taken.result()).await.unwrap(), "2800 3000 one two", "a message that was taken stays so");
    assert_eq!(house.log.count("hard"), 2, "what was recorded is not done again");
    assert_eq!(house.done(run.result()).await.unwrap(), "2800 3000 one two", "the run that was exported goes on");
}

#[on_every_database]
async fn what_was_deleted_comes_back_from_its_file(db: TestDatabase) {
    let (house, run) = house_with_a_run(db).await;
    run.wake_up().await.unwrap();
    house.done(run.result()).await.unwrap();
    let failed = house.onward.start::<fails>(()).id("failed").await.unwrap();
    let error = failed.result().await.unwrap_err();
    for id in ["first", "failed"] {
        let run = house.onward.handle_named(id);
        let file = run.export().await.unwrap();
        assert_eq!(house.onward.import(&file).await.unwrap_err().code(), "conflict");
        run.delete().await.unwrap();
        house.onward.import(&file).await.unwrap();
        let copy = house.onward.import_as(&file, format!("{id} copy")).await.unwrap();
        assert_eq!(copy.describe().await.unwrap().status, run.describe().await.unwrap().status);
        assert_eq!(run.export().await.unwrap(), file);
    }
    assert_eq!(run.result().await.unwrap(), "2800 3000 one two");
    assert_eq!(house.onward.handle::<fails>("failed").result().await.unwrap_err().message(), error.message());
}

#[on_every_database]
async fn a_hook_goes_with_its_run_where_its_token_is_free(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks>()).await;
    let run = house.onward.start::<asks>(()).id("first").await.unwrap();
    house.until("it waits", async || run.steps().await.unwrap().len() == 2).await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    assert_eq!(
        house.onward.resume_hook("approve", "here").await.unwrap().as_str(),
        "first",
        "it stays with the run that has it"
    );
    assert_eq!(house.done(run.result()).await.unwrap(), "here");
    copy.delete().await.unwrap_err();

    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).workflow::<asks>().launch().await.unwrap();
    let taken = there.import(&file).await.unwrap();
    taken.resume().await.unwrap();
    assert_eq!(there.resume_hook("approve", "there").await.unwrap().as_str(), "first");
    assert_eq!(house.done(taken.result()).await.unwrap(), "there");

    run.delete().await.unwrap();
    let back = house.onward.import(&file).await.unwrap();
    back.resume().await.unwrap();
    assert_eq!(house.onward.resume_hook("approve", "back").await.unwrap().as_str(), "first");
    assert_eq!(house.done(back.result()).await.unwrap(), "back");
}

#[on_every_database]
async fn a_file_that_is_none_and_a_run_that_is_none_are_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<fails>()).await;
    assert!(house.onward.handle_named("nobody").export().await.unwrap_err().is_unknown_run());
    let run = house.onward.start::<fails>(()).id("f").await.unwrap();
    run.result().await.unwrap_err();
    let file = run.export().await.unwrap();
    let line = format!("line {}:", file.lines().count() + 1);
    let broken = format!("{file}{{\"row\":\"checkpoint\",\"position\":");
    let error = house.onward.import_as(&broken, "broken").await.unwrap_err();
    assert!(error.code() == "invalid" && error.message().contains(&line), "{error}");
    // Two rows for one position: nothing of the run is there after that.
    let twice = format!("{file}{}\n", file.lines().last().unwrap());
    house.onward.import_as(&twice, "twice").await.unwrap_err();
    assert!(house.onward.handle_named("twice").describe().await.unwrap_err().is_unknown_run());
}
