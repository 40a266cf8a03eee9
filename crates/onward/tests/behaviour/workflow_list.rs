//! `client.workflows()`: what executors have and had, and what is open.

use onward::WorkflowFn;
use onward::prelude::*;
use onward::records::{OpenRuns, Schemas, WorkflowRecord};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::{Value, json};

use crate::house::House;

#[onward::workflow(version = "2")]
async fn naps(ctx: &Ctx) -> Result<u32> {
    ctx.sleep(days(900)).await?;
    Ok(1)
}

fn double(version: &'static str, input: Value) -> WorkflowFn {
    let double = WorkflowFn::new("double", version, |_ctx, n: i64| async move { Ok(n * 2) });
    double.input_schema(input).output_schema(json!({"type": "integer"}))
}

fn find<'a>(all: &'a [WorkflowRecord], name: &str) -> &'a WorkflowRecord {
    all.iter().find(|workflow| workflow.name == name).unwrap()
}

fn schema(schemas: &Schemas) -> Option<&str> {
    schemas.input.as_ref().map(onward::Json::as_str)
}

#[on_every_database]
async fn a_client_sees_versions_schemas_executors_and_open_runs(db: TestDatabase) {
    let house = House::open(db, |b| {
        b.workflow::<naps>().register(double("10", json!(true))).register(double("9", json!({"minimum": 9})))
    })
    .await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let me = house.onward.executor_id();
    house.onward.start_named("double", 4).await.unwrap().result().await.unwrap();
    for id in ["one", "two", "held"] {
        house.onward.start::<naps>(()).id(id).await.unwrap();
    }
    house.onward.start::<naps>(()).delay(days(1)).await.unwrap();
    house.onward.handle::<naps>("held").pause().await.unwrap();
    client.start_named("nobody has it", ()).await.unwrap();

    let all = client.workflows().await.unwrap();
    assert_eq!(all.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["double", "naps", "nobody has it"]);
    let doubles = find(&all, "double");
    let versions: Vec<_> = doubles.versions.iter().map(|it| (it.version.as_str(), schema(&it.schemas))).collect();
    assert_eq!(versions, [("9", Some(r#"{"minimum":9}"#)), ("10", Some("true"))]);
    assert!(doubles.versions.iter().all(|it| it.executors.contains(&me)));
    assert_eq!(doubles.open, OpenRuns::default(), "what has ended is not counted");
    let naps = find(&all, "naps");
    assert_eq!(naps.open, OpenRuns { running: 2, paused: 1, delayed: 1, enqueued: 0 });
    let unknown = find(&all, "nobody has it");
    assert_eq!((unknown.versions.len(), unknown.open.enqueued), (0, 1));
    // It is data: another process may get it as JSON.
    let text = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<Vec<WorkflowRecord>>(&text).unwrap(), all);

    // What executors had stays listed, and so do its schemas.
    house.onward.shutdown(secs(1)).await.unwrap();
    let gone = client.workflows().await.unwrap();
    assert!(gone.iter().flat_map(|it| &it.versions).all(|version| version.executors.is_empty()));
    assert_eq!(schema(&find(&gone, "double").versions[1].schemas), Some("true"));

    // Another build of the same version says something else.
    let before = find(&gone, "double").versions[1].updated_at;
    house.clock.advance(secs(5));
    let build =
        |other: Value| Onward::open(house.db.url.clone()).clock(house.clock.clone()).register(double("10", other));
    let same = build(json!(true)).launch().await.unwrap();
    assert_eq!(find(&client.workflows().await.unwrap(), "double").versions[1].updated_at, before);
    same.shutdown(secs(1)).await.unwrap();
    let other = build(json!(false)).launch().await.unwrap();
    let now = client.workflows().await.unwrap();
    let changed = &find(&now, "double").versions[1];
    assert_eq!((schema(&changed.schemas), changed.executors.len()), (Some("false"), 1));
    assert!(changed.updated_at > before);
    assert_eq!(schema(&find(&now, "double").versions[0].schemas), Some(r#"{"minimum":9}"#));
    other.shutdown(secs(1)).await.unwrap();
}

#[on_every_database]
async fn a_workflow_that_is_registered_later_is_published_too(db: TestDatabase) {
    let house = House::open(db, |b| b).await;
    assert!(house.onward.workflows().await.unwrap().is_empty());
    house.onward.register(double("1", json!(true))).await.unwrap();
    let all = house.onward.workflows().await.unwrap();
    assert_eq!(schema(&find(&all, "double").versions[0].schemas), Some("true"));
    assert_eq!(find(&all, "double").versions[0].executors.len(), 1);
}
