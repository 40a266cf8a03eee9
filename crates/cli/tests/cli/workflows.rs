//! Tests of `onward workflows`.

use onward::WorkflowFn;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::harness::{Said, assert_golden, onward};

async fn workflows(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["workflows", "--db", &db.url], arguments].concat()).await
}

#[on_every_database]
async fn workflows_are_listed_with_their_versions_and_what_is_open(db: TestDatabase) -> Result<()> {
    let nobody = Onward::open(db.url.clone()).launch().await?;
    assert_eq!(workflows(&db, &[]).await.out, "no workflows\n");
    nobody.shutdown(secs(1)).await?;

    let double = |version| WorkflowFn::new("double", version, |_ctx, n: i64| async move { Ok(n * 2) });
    let described = double("10").input_schema(json!({"type": "integer"})).output_schema(json!({"type": "integer"}));
    let onward = Onward::open(db.url.clone()).register(described).register(double("9")).launch().await?;
    onward.start_named("double", 1).delay(days(9_999)).await?;
    onward.start_named("double", 1).await?.result().await?;
    let client = Client::connect(&db.url).await?;
    client.start_named("nobody has it", ()).await?;
    client.start_named("nobody has it", ()).id("held").await?.pause().await?;

    let said = workflows(&db, &[]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_golden("workflows", &said.out);
    let all = workflows(&db, &["--json"]).await.json();
    assert_eq!(all[0]["versions"][1]["schemas"], json!({"input": {"type": "integer"}, "output": {"type": "integer"}}));
    assert_eq!(all[0]["versions"][1]["executors"], json!([onward.executor_id()]));
    assert_eq!(all[1]["open"], json!({"delayed": 0, "enqueued": 1, "running": 0, "paused": 1}));
    Ok(())
}
