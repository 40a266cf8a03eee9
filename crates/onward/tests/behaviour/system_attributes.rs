//! Attributes of Onward's namespace: users cannot write them, and what users write leaves them alone.

use onward::prelude::*;
use onward::{Filter, Json, RunOptions};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::house::House;

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(hours(1)).await?)
}

async fn attributes(run: &onward::WorkflowHandle<()>) -> serde_json::Value {
    run.describe().await.unwrap().attributes.map_or(json!(null), |json| json.decode().unwrap())
}

async fn of_acme(house: &House) -> usize {
    let filter = Filter::default().with_attributes(json!({"onward.organization": "acme"})).unwrap();
    house.onward.list(filter).await.unwrap().items.len()
}

#[on_every_database]
async fn what_users_set_leaves_the_attributes_of_the_namespace_alone(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits>()).await;
    let run = house.onward.start::<waits>(()).attributes(json!({"a": 1})).await.unwrap();
    run.merge_system_attributes(json!({"onward.organization": "acme", "onward.dataset": 7})).await.unwrap();
    assert_eq!(of_acme(&house).await, 1);
    run.set_attributes(json!({"b": 2})).await.unwrap();
    assert_eq!(attributes(&run).await, json!({"onward.organization": "acme", "onward.dataset": 7, "b": 2}));
    run.merge_attributes(json!({"c": 3, "b": null})).await.unwrap();
    run.merge_system_attributes(json!({"onward.dataset": null})).await.unwrap();
    assert_eq!(attributes(&run).await, json!({"onward.organization": "acme", "c": 3}));
    // A fork with attributes of its own keeps them as well.
    let again = run.fork(0).attributes(json!({"d": 4})).await.unwrap();
    assert_eq!(attributes(&again).await, json!({"onward.organization": "acme", "d": 4}));
    assert_eq!(of_acme(&house).await, 2);
}

#[on_every_database]
async fn a_run_begins_with_attributes_of_the_namespace(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits>()).await;
    let json = |value: serde_json::Value| Some(Json::from(value.to_string()));
    let options = RunOptions {
        attributes: json(json!({"a": 1})),
        system_attributes: json(json!({"onward.organization": "acme"})),
        ..RunOptions::default()
    };
    let run = house.onward.start::<waits>(()).options(options).await.unwrap();
    assert_eq!(attributes(&run).await, json!({"a": 1, "onward.organization": "acme"}));
    assert_eq!(of_acme(&house).await, 1);
}

#[on_every_database]
async fn users_cannot_write_into_the_namespace(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits>()).await;
    let mine = json!({"onward.organization": "evil"});
    let refused = house.onward.start::<waits>(()).id("r").attributes(&mine).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("reserved for Onward"), "{refused}");
    let run = house.onward.start::<waits>(()).id("r").await.unwrap();
    assert_eq!(run.set_attributes(&mine).await.unwrap_err().code(), "invalid");
    assert_eq!(run.merge_attributes(&mine).await.unwrap_err().code(), "invalid");
    assert_eq!(run.fork(0).attributes(&mine).await.unwrap_err().code(), "invalid");
    assert_eq!(house.onward.merge_attributes_all(Filter::all(), &mine).await.unwrap_err().code(), "invalid");
    let refused = run.merge_system_attributes(json!({"organization": "acme"})).await.unwrap_err();
    assert!(refused.message().contains("does not begin with `onward.`"), "{refused}");
    assert_eq!(attributes(&run).await, json!(null));
}
