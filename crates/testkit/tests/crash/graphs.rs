//! A graph whose executor is killed while it works, while it is paused, and after it was resumed.

use onward::{Filter, Status};
use onward_testkit::{TestDatabase, between_looks, on_every_database};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::house::House;

fn executor(url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crash")).arg("graph").arg(url).kill_on_drop(true).spawn().unwrap()
}

async fn ended(house: &House, workflow: &str, status: Status) -> Vec<String> {
    let filter = Filter { workflows: vec![workflow.to_owned()], statuses: vec![status], ..Filter::default() };
    house.client.list(filter).await.unwrap().items.into_iter().map(|run| run.reason).collect()
}

#[on_every_database]
async fn a_graph_survives_kills_and_a_node_that_fails_until_it_is_mended(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let file = house.options.log.with_file_name("name.txt");
    let graph = json!({
        "quick": {"run": ["sleep", "join"]},
        "name": {"run": ["read"], "with": file, "after": ["quick"]},
        "all": {"run": ["join"], "after": ["name", "quick"]},
    });
    let run = house.client.start_named("graph", graph).id("g").await.unwrap();

    let mut first = executor(&db.url);
    while ended(&house, "join", Status::Succeeded).await.is_empty() {
        between_looks().await;
    }
    first.kill().await.unwrap();

    let mut second = executor(&db.url);
    let paused = run.settled().await.unwrap();
    assert_eq!(paused.status, Status::Paused);
    assert!(paused.reason.contains("node `name` failed: "), "{}", paused.reason);
    second.kill().await.unwrap();

    // It is still paused in the hands of the next executor, until somebody has mended the node and resumes the run.
    let _third = executor(&db.url);
    std::fs::write(&file, "ada").unwrap();
    assert_eq!(run.settled().await.unwrap().reason, paused.reason);
    assert!(run.resume().await.unwrap().changed());
    let results: Value = run.result().await.unwrap();
    assert_eq!(results, json!({"quick": "[]", "name": "ada", "all": r#"["ada","[]"]"#}));

    // Nothing that had a result was executed again, and the loser of the race was cancelled.
    assert_eq!(ended(&house, "join", Status::Succeeded).await.len(), 2);
    assert_eq!(ended(&house, "read", Status::Failed).await.len(), 1);
    let cancelled = ended(&house, "sleep", Status::Cancelled).await;
    assert_eq!(cancelled, [r#"cancelled by run `g`: "another was faster""#]);
}
