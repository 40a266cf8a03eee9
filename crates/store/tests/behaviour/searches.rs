//! What finds runs by their attributes is kept with them: it says what they are now, and nothing is left of a deleted run.

use onward_store::{Action, NewRun, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Filter, Json, Range};
use serde_json::json;

use super::lock::{number, sql};
use super::world::*;

fn text(json: &serde_json::Value) -> Json {
    Json::encode(json).unwrap()
}

async fn has(store: &Store, id: &str, attributes: serde_json::Value) {
    let run = NewRun { attributes: Some(text(&attributes)), ..new_run(store, id) };
    store.create(run).await.unwrap();
}

async fn found(store: &Store, filter: Filter) -> Vec<String> {
    let filter = Filter { oldest_first: true, ..filter };
    store.list(filter).await.unwrap().items.into_iter().map(|run| run.id.to_string()).collect()
}

async fn with(store: &Store, attributes: serde_json::Value) -> Vec<String> {
    found(store, Filter::default().with_attributes(attributes).unwrap()).await
}

async fn between(store: &Store, name: &str, range: Range) -> Vec<String> {
    found(store, Filter { attribute_ranges: [(name.to_owned(), range)].into(), ..Filter::default() }).await
}

async fn kept(db: &TestDatabase) -> i64 {
    number(db, "select count(*) from run_attributes").await
}

#[on_every_database]
async fn runs_are_found_by_what_their_attributes_are_now(db: TestDatabase) {
    let store = open(&db).await;
    has(&store, "a", json!({"team": "red", "cost": 1, "tags": ["x"], "of": {"x": 1}})).await;
    has(&store, "b", json!({"team": "red", "cost": 2})).await;
    store.create(new_run(&store, "c")).await.unwrap();
    let steer = async |id: &str, action| store.steer(&run_id(id), action).await.unwrap();
    assert_eq!(with(&store, json!({"team": "red"})).await, ["a", "b"]);

    steer("a", Action::SetAttributes(text(&json!({"team": "blue", "cost": 2.5})))).await;
    steer("c", Action::MergeAttributes(text(&json!({"cost": 3})))).await;
    assert_eq!(with(&store, json!({"team": "red"})).await, ["b"]);
    assert_eq!(with(&store, json!({"team": "blue"})).await, ["a"]);
    assert_eq!(between(&store, "cost", Range::min(2.5)).await, ["a", "c"]);
    assert_eq!(between(&store, "cost", Range::max(2.0)).await, ["b"]);

    steer("a", Action::MergeAttributes(text(&json!({"cost": null, "team": ["blue"]})))).await;
    assert_eq!(with(&store, json!({"team": ["blue", "red"]})).await, ["b"]);
    assert_eq!(between(&store, "cost", Range::min(2.0)).await, ["b", "c"]);
}

#[on_every_database]
async fn nothing_is_left_of_the_attributes_of_a_deleted_run(db: TestDatabase) {
    let store = open(&db).await;
    let long = "x".repeat(150);
    has(&store, "a", json!({"team": "red", "cost": 1, "long": long, "none": null, "is": true, "tags": [1]})).await;
    has(&store, "b", json!({"n": [1], "of": {}, long.as_str(): 1e300, "cost": -0.5})).await;
    store.create(new_run(&store, "c")).await.unwrap();
    store.steer(&run_id("b"), Action::SetAttributes(text(&json!({"cost": 7, "is": "so"})))).await.unwrap();
    assert!(kept(&db).await > 0);
    for id in ["a", "b", "c"] {
        store.cancel(&run_id(id), "enough").await.unwrap();
        store.steer(&run_id(id), Action::Delete { children: false }).await.unwrap();
    }
    assert_eq!(kept(&db).await, 0);
}

#[on_every_database]
async fn what_is_alike_in_the_index_is_told_apart(db: TestDatabase) {
    let store = open(&db).await;
    let long = |end: &str| "x".repeat(150) + end;
    has(&store, "true", json!({"is": true, "long": long("a"), long("a"): 1})).await;
    has(&store, "1", json!({"is": 1, "long": long("b"), long("b"): 1})).await;
    has(&store, "1.0", json!({"is": 1.0, "n": 9_007_199_254_740_993_u64})).await;
    has(&store, "text", json!({"is": "1", "n": 9_007_199_254_740_992_u64})).await;
    has(&store, "null", json!({"is": null, "n": 1e300})).await;
    has(&store, "empty", json!({"is": "", "n": -1e300})).await;
    let cases = [
        (json!({"is": true}), vec!["true"]),
        (json!({"is": 1}), vec!["1", "1.0"]),
        (json!({"is": ["1", false]}), vec!["text"]),
        (json!({"is": [null]}), vec!["null"]),
        (json!({"is": ""}), vec!["empty"]),
        (json!({"long": long("a")}), vec!["true"]),
        (json!({"long": "x".repeat(100)}), vec![]),
        (json!({long("b"): 1}), vec!["1"]),
        (json!({"n": 9_007_199_254_740_993_u64}), vec!["1.0"]),
    ];
    for (attributes, expected) in cases {
        assert_eq!(with(&store, attributes.clone()).await, expected, "{attributes}");
    }
    assert_eq!(between(&store, "is", Range::min(0.0)).await, ["1", "1.0"]);
    assert_eq!(between(&store, "n", Range::min(1e15)).await, ["1.0", "text", "null"]);
    assert_eq!(between(&store, "n", Range::max(-1e299)).await, ["empty"]);
    assert_eq!(between(&store, &long("a"), Range::min(1.0)).await, ["true"]);
}

/// Numbers that no 64 bits can hold are written by imports and by hand.
#[on_every_database]
async fn a_number_of_any_size_is_found(db: TestDatabase) {
    let store = open(&db).await;
    for id in ["huge", "tiny"] {
        store.create(new_run(&store, id)).await.unwrap();
    }
    sql(&db, "update runs set attributes = '{\"n\": 1e400}' where id = 'huge'").await;
    sql(&db, "update runs set attributes = '{\"n\": 1e-400}' where id = 'tiny'").await;
    assert_eq!(between(&store, "n", Range::min(1e308)).await, ["huge"]);
    assert_eq!(between(&store, "n", Range::max(1.0)).await, ["tiny"]);
}
