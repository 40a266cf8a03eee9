//! What a workflow does to runs from inside its own.

use onward::prelude::*;
use onward::records::{Steered, StepKind};
use onward::{Filter, Json};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::house::{House, Log};

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

/// Cancels a run, sleeps, and says what it was told.
#[onward::workflow]
async fn cancels(ctx: &Ctx, run: String) -> Result<Steered> {
    let told = ctx.cancel(&run).reason("it is \"late\"").await?;
    ctx.sleep(hours(1)).await?;
    Ok(told)
}

/// Cancels itself, or the run that started it.
#[onward::workflow]
async fn ends(ctx: &Ctx, run: String) -> Result<u64> {
    let told = ctx.cancel(&run).await?;
    ctx.step("after", async || Ok(ctx.state::<Log>().ran("after"))).await?;
    Ok(told.runs)
}

#[onward::workflow]
async fn starts_its_end(ctx: &Ctx) -> Result<u64> {
    Ok(ctx.run::<ends>("parent".to_owned()).id("child").await?)
}

#[onward::workflow]
async fn asks(ctx: &Ctx) -> Result<Vec<u32>> {
    let hook = ctx.hook::<u32>().token("ask").await?;
    Ok(vec![hook.recv().await?, hook.recv().await?])
}

/// Answers a hook, sleeps, and says which run it was.
#[onward::workflow]
async fn answers(ctx: &Ctx, given: (String, Json)) -> Result<String> {
    let run = ctx.resume_hook(&given.0, &given.1).await?;
    ctx.sleep(hours(1)).await?;
    Ok(run.to_string())
}

#[onward::workflow]
async fn describes_itself(ctx: &Ctx) -> Result<()> {
    ctx.merge_attributes(json!({"stage": "packing", "draft": null, "by": {"robot": 7}})).await?;
    ctx.sleep(hours(1)).await?;
    Ok(ctx.merge_attributes(json!({"stage": "sent"})).await?)
}

#[onward::workflow]
async fn describes_itself_badly(ctx: &Ctx) -> Result<String> {
    Ok(ctx.merge_attributes(7).await.unwrap_err().code().to_owned())
}

/// Starts an independent run from the body of a step, and waits for it there.
#[onward::workflow]
async fn starts_others(ctx: &Ctx) -> Result<u32> {
    let started = ctx.step("start", async || {
        let client = ctx.client()?;
        let other = client.start::<waits>(()).id(ctx.idempotency_key()).await?;
        client.send(other.id(), "n", 7).key("n").await?;
        Ok(other.result().await?)
    });
    let started = started.await?;
    ctx.sleep(hours(1)).await?;
    Ok(started)
}

#[onward::workflow]
async fn asks_in_a_transaction(ctx: &Ctx) -> Result<String> {
    let refused = ctx.transaction("pay", async |_| Ok(ctx.client().unwrap_err().code().to_owned()));
    Ok(refused.await?)
}

fn all(builder: onward::Builder) -> onward::Builder {
    let builder = builder.workflows::<(waits, cancels, ends, starts_its_end, asks, answers)>();
    builder.workflows::<(describes_itself, describes_itself_badly, starts_others, asks_in_a_transaction)>()
}

async fn sleeps<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    let asleep = async || run.steps().await.unwrap().iter().any(|step| step.kind == StepKind::Sleep);
    house.becomes(&format!("{} sleeps", run.id()), asleep).await;
}

#[on_every_database]
async fn a_workflow_cancels_another_run_and_keeps_what_came_of_it(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let target = house.onward.start::<waits>(()).id("target").await.unwrap();
    house.becomes("it waits", async || !target.steps().await.unwrap().is_empty()).await;
    let run = house.onward.start::<cancels>("target".to_owned()).id("r").await.unwrap();
    sleeps(&house, &run).await;
    house.becomes("it is released", async || target.describe().await.unwrap().executor.is_none()).await;
    let target = target.describe().await.unwrap();
    assert_eq!(target.status, Status::Cancelled);
    assert_eq!(target.reason, r#"cancelled by run `r`: "it is "late"""#);
    let step = &run.steps().await.unwrap()[0];
    assert_eq!((step.kind, step.name.as_str()), (StepKind::Cancel, "target"));

    house.lose_executor().await;
    house.pass(hours(1)).await;
    let told = house.done(house.onward.handle::<cancels>("r").result()).await.unwrap();
    assert_eq!((told.found, told.runs), (Status::Running, 1), "not that it had been cancelled before");
}

#[on_every_database]
async fn a_run_that_has_ended_is_not_cancelled_and_one_that_never_was_is_an_error(db: TestDatabase) {
    let house = House::open(db, all).await;
    let target = house.onward.start::<waits>(()).id("target").await.unwrap();
    target.send("n", 7).await.unwrap();
    assert_eq!(house.done(target.result()).await.unwrap(), 7);
    let run = house.onward.start::<cancels>("target".to_owned()).id("r").await.unwrap();
    sleeps(&house, &run).await;
    house.pass(hours(1)).await;
    let told = house.done(run.result()).await.unwrap();
    assert_eq!((told.found, told.runs), (Status::Succeeded, 0));

    let lost = house.onward.start::<cancels>("nobody".to_owned()).await.unwrap();
    assert!(house.done(lost.result()).await.unwrap_err().is_unknown_run());
    let unnamed = house.onward.start::<cancels>("\0".to_owned()).await.unwrap();
    assert_eq!(house.done(unnamed.result()).await.unwrap_err().code(), "invalid");
}

#[on_every_database]
async fn a_run_that_cancels_itself_ends_there_and_goes_on_behind_the_call_once_resumed(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<ends>("self".to_owned()).id("self").await.unwrap();
    assert!(house.done(run.result()).await.unwrap_err().is_cancelled());
    house.becomes("it is released", async || house.onward.resident_runs() == 0).await;
    assert_eq!(run.describe().await.unwrap().reason, "cancelled by run `self`");
    assert_eq!(house.log.count("after"), 0);
    run.resume().await.unwrap();
    let run = house.onward.handle::<ends>("self");
    assert_eq!(house.done(run.result()).await.unwrap(), 1);
    assert_eq!(house.log.count("after"), 1);
}

#[on_every_database]
async fn a_child_that_cancels_its_parent_ends_with_it_and_comes_back_with_it(db: TestDatabase) {
    let house = House::open(db, all).await;
    let parent = house.onward.start::<starts_its_end>(()).id("parent").await.unwrap();
    assert!(house.done(parent.result()).await.unwrap_err().is_cancelled());
    let child = house.onward.handle::<ends>("child");
    assert_eq!(child.status().await.unwrap(), Status::Cancelled);
    house.becomes("both are released", async || house.onward.resident_runs() == 0).await;
    assert_eq!(house.log.count("after"), 0);
    parent.resume().await.unwrap();
    let parent = house.onward.handle::<starts_its_end>("parent");
    assert_eq!(house.done(parent.result()).await.unwrap(), 2, "the parent and the child");
}

#[on_every_database]
async fn two_runs_that_cancel_one_another_both_come_to_an_end(db: TestDatabase) {
    let house = House::open(db, all).await;
    for round in 0..10 {
        let (one, two) = (format!("one-{round}"), format!("two-{round}"));
        let start = |id: &str, other: &str| house.onward.start::<ends>(other.to_owned()).id(id).delay(secs(1));
        let (first, second) = (start(&one, &two).await.unwrap(), start(&two, &one).await.unwrap());
        house.clock.advance(secs(1));
        let over = async || {
            let both = [first.status().await.unwrap(), second.status().await.unwrap()];
            both.iter().all(|status| status.is_terminal()) && both.contains(&Status::Cancelled)
        };
        house.until("both have ended", over).await;
    }
    house.until("both are released", async || house.onward.resident_runs() == 0).await;
}

async fn answer(house: &House, id: &str, given: serde_json::Value) -> WorkflowHandle<String> {
    let answer = ("ask".to_owned(), Json::encode(&given).unwrap());
    house.onward.start::<answers>(answer).id(id).await.unwrap()
}

#[on_every_database]
async fn a_workflow_answers_a_hook_exactly_once(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let asks = house.onward.start::<asks>(()).id("asks").await.unwrap();
    house.becomes("it waits", async || asks.steps().await.unwrap().len() == 2).await;
    let wrong = answer(&house, "wrong", json!("seven")).await;
    assert_eq!(house.done(wrong.result()).await.unwrap_err().code(), "invalid", "the hook takes numbers");
    let first = answer(&house, "first", json!(7)).await;
    sleeps(&house, &first).await;
    house.lose_executor().await;
    house.pass(hours(1)).await;
    assert_eq!(house.done(house.onward.handle::<answers>("first").result()).await.unwrap(), "asks");
    answer(&house, "second", json!(8)).await;
    assert_eq!(house.done(house.onward.handle::<asks>("asks").result()).await.unwrap(), [7, 8]);
    let late = answer(&house, "late", json!(9)).await;
    assert_eq!(house.done(late.result()).await.unwrap_err().code(), "gone");
}

#[on_every_database]
async fn a_workflow_merges_its_attributes_and_a_replay_leaves_those_of_others_alone(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let start = house.onward.start::<describes_itself>(()).id("r").attributes(json!({"team": "blue", "draft": true}));
    let run = start.await.unwrap();
    sleeps(&house, &run).await;
    let now = async |house: &House| house.onward.handle_named("r").describe().await.unwrap().attributes.unwrap();
    assert_eq!(now(&house).await.as_str(), r#"{"team":"blue","by":{"robot":7},"stage":"packing"}"#);
    run.merge_attributes(json!({"stage": "seen by ann"})).await.unwrap();
    house.lose_executor().await;
    assert_eq!(now(&house).await.as_str(), r#"{"team":"blue","by":{"robot":7},"stage":"seen by ann"}"#);
    house.pass(hours(1)).await;
    house.done(house.onward.handle::<describes_itself>("r").result()).await.unwrap();
    assert_eq!(now(&house).await.as_str(), r#"{"team":"blue","by":{"robot":7},"stage":"sent"}"#);
    let sent = Filter { attributes: Some(Json::encode(&json!({"stage": "sent"})).unwrap()), ..Filter::default() };
    assert_eq!(house.onward.list(sent).await.unwrap().items.len(), 1);

    let badly = house.onward.start::<describes_itself_badly>(()).await.unwrap();
    assert_eq!(house.done(badly.result()).await.unwrap(), "invalid");
}

#[on_every_database]
async fn a_step_starts_independent_runs_with_the_client_of_its_executor(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    let run = house.onward.start::<starts_others>(()).id("r").await.unwrap();
    sleeps(&house, &run).await;
    let others = Filter { workflows: vec!["waits".to_owned()], ..Filter::default() };
    let others = house.onward.list(others).await.unwrap().items;
    assert_eq!((others.len(), others[0].parent.clone()), (1, None));
    // On SQLite a second executor could not begin if the client of the first one kept it alive.
    house.lose_executor().await;
    house.pass(hours(1)).await;
    assert_eq!(house.done(house.onward.handle::<starts_others>("r").result()).await.unwrap(), 7);
}

#[on_every_database]
async fn the_body_of_a_transaction_has_no_client(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<asks_in_a_transaction>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "nested");
}
