//! Starting: ids, conflicts, options, other processes.

use std::collections::BTreeMap;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn echo(_ctx: &Ctx, text: String) -> Result<String> {
    Ok(text)
}

#[onward::workflow]
async fn other(_ctx: &Ctx, text: String) -> Result<String> {
    Ok(text)
}

#[onward::workflow]
async fn sorted(_ctx: &Ctx, map: serde_json::Value) -> Result<serde_json::Value> {
    Ok(map)
}

#[onward::workflow]
async fn sleeper(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(days(30)).await?)
}

#[on_every_database]
async fn the_same_id_and_input_is_the_same_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    let first = house.onward.start::<echo>("a".into()).id("x").await.unwrap();
    let key = first.describe().await.unwrap().key;
    for _ in 0..3 {
        let again = house.onward.start::<echo>("a".into()).id("x").await.unwrap();
        assert_eq!(again.result().await.unwrap(), "a");
        assert_eq!(again.describe().await.unwrap().key, key);
    }
}

#[on_every_database]
async fn many_starts_of_one_id_at_once_make_one_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    let starts = (0..50).map(|_| house.onward.start::<echo>("a".into()).id("x"));
    for handle in futures_util::future::join_all(starts).await {
        assert_eq!(handle.unwrap().result().await.unwrap(), "a");
    }
    assert_eq!(house.onward.list(Default::default()).await.unwrap().items.len(), 1);
}

#[on_every_database]
async fn an_id_that_is_taken_by_something_else_is_a_conflict_that_names_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(echo, other)>()).await;
    house.onward.start::<echo>("a".into()).id("x").await.unwrap().result().await.unwrap();
    let input = house.onward.start::<echo>("b".into()).id("x").await.unwrap_err();
    assert!(input.is_conflict() && input.message().contains("another input"), "{input}");
    let workflow = house.onward.start::<other>("a".into()).id("x").await.unwrap_err();
    assert!(
        workflow.is_conflict() && workflow.message().contains("`echo`") && workflow.message().contains("`other`"),
        "{workflow}"
    );
}

#[on_every_database]
async fn the_order_of_keys_in_an_input_makes_no_other_input(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sorted>()).await;
    let one = BTreeMap::from([("a", 1), ("b", 2)]);
    house.onward.start_named("sorted", &one).id("x").await.unwrap().result().await.unwrap();
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str(r#"{"b":2,"a":1}"#).unwrap();
    house.onward.start_named("sorted", raw).id("x").await.unwrap();
}

#[on_every_database]
async fn an_id_that_no_database_could_hold_is_refused_with_a_sentence(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    for id in ["", "a\0b", "line\nbreak", &"x".repeat(513)] {
        let error = house.onward.start::<echo>("a".into()).id(id).await.unwrap_err();
        assert_eq!(error.code(), "invalid", "{id:?}");
    }
    let emoji = "🦀".repeat(128);
    assert_eq!(house.onward.start::<echo>("🦀".into()).id(&emoji).await.unwrap().result().await.unwrap(), "🦀");
}

#[on_every_database]
async fn a_workflow_that_was_not_given_is_refused_with_the_line_to_add(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    let error = house.onward.start::<other>("a".into()).await.unwrap_err();
    assert_eq!(error.code(), "not_registered");
    assert!(error.message().contains("register it where Onward is opened"), "{error}");
}

#[on_every_database]
async fn all_that_was_given_at_the_start_is_in_the_record(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let deadline = "2026-03-01T00:00:00Z".parse().unwrap();
    let run = house
        .onward
        .start::<sleeper>(())
        .id("all")
        .timeout(days(60))
        .deadline(deadline)
        .attributes(serde_json::json!({"tenant": "acme"}))
        .max_recoveries(7)
        .authenticated_as("ann", ["admin", "clerk"])
        .assumed_role("clerk")
        .class("Shop", Some("eu".into()))
        .await
        .unwrap();
    let record = run.describe().await.unwrap();
    assert_eq!(record.id.as_str(), "all");
    assert_eq!((record.workflow.as_str(), record.version.as_deref()), ("sleeper", Some("1")));
    assert_eq!(record.status, Status::Running);
    assert_eq!(record.timeout, Some(days(60)));
    assert_eq!(record.deadline, Some("2026-03-01T00:00:00Z".parse().unwrap()));
    assert_eq!(record.max_recoveries, Some(7));
    assert_eq!(record.identity.user.as_deref(), Some("ann"));
    assert_eq!(record.identity.role.as_deref(), Some("clerk"));
    assert_eq!(record.identity.roles, ["admin", "clerk"]);
    assert_eq!(record.identity.class_name.as_deref(), Some("Shop"));
    assert_eq!(record.identity.config_name.as_deref(), Some("eu"));
    assert_eq!(record.attributes.unwrap().as_str(), r#"{"tenant":"acme"}"#);
    assert_eq!(record.executor.unwrap(), house.onward.executor_id());
    assert!(record.started_at.is_some() && record.finished_at.is_none());
}

#[on_every_database]
async fn attributes_that_are_no_object_are_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    let error = house.onward.start::<echo>("a".into()).attributes(17).await.unwrap_err();
    assert_eq!(error.code(), "invalid");
}

#[on_every_database]
async fn a_client_starts_what_an_executor_runs(db: TestDatabase) {
    // In memory there is no other client: only its own connection sees it.
    let house = House::open(db.clone(), |b| b.workflow::<echo>()).await;
    let client = Client::connect_with(&db.url, house.clock.clone()).await.unwrap();
    let run = client.start_named("echo", "from afar").id("far").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "from afar");
    assert!(client.handle::<echo>("nobody").result().await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn a_delayed_run_starts_no_sooner_than_it_says(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    let run = house.onward.start::<echo>("late".into()).delay(hours(5)).await.unwrap();
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.ready_at), (Status::Delayed, "2026-01-01T05:00:00Z".parse().ok()));
    assert!(record.reason.starts_with("starts at 2026-01-01T05:00:00"), "{}", record.reason);
    house.pass(hours(4)).await;
    assert_eq!(run.status().await.unwrap(), Status::Delayed);
    house.pass(hours(1)).await;
    assert_eq!(house.done(run.result()).await.unwrap(), "late");
}

#[on_every_database]
async fn many_handles_wait_for_one_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<echo>()).await;
    let run = house.onward.start::<echo>("a".into()).delay(hours(1)).await.unwrap();
    let elsewhere = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let (typed, named) = (elsewhere.handle::<echo>(run.id()), elsewhere.handle_named(run.id()));
    let waiting =
        futures_util::future::join_all((0..20).map(|n| if n % 2 == 0 { run.result() } else { typed.result() }));
    let (results, named) = house.done(futures_util::future::join(waiting, named.result())).await;
    assert!(results.into_iter().all(|result| result.unwrap() == "a"));
    assert_eq!(named.unwrap(), "a");
}

#[on_every_database]
async fn a_result_that_takes_too_long_times_out_and_the_run_goes_on(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).await.unwrap();
    let error = house.done(run.result_within(mins(5))).await.unwrap_err();
    assert!(error.is_timed_out(), "{error}");
    assert!(!run.status().await.unwrap().is_terminal());
}
