//! Tests of `onward executors`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::harness::{onward, some_runs};

#[on_every_database]
async fn executors_are_listed_with_what_they_execute(db: TestDatabase) -> Result<()> {
    let house = some_runs(&db).await?;
    let said = onward(&["executors", "list", "--db", &db.url]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let mut lines = said.out.lines();
    let headings: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(headings, ["ID", "STATE", "HOST", "PROCESS", "STARTED", "RUNS", "WORKFLOWS"]);
    let row = lines.next().unwrap_or_default();
    assert!(row.starts_with(&format!("{}  alive", house.executor_id())), "{said:?}");
    assert!(row.contains("  2026-01-02 12:00:00Z  1     ") && row.contains("greet@1"), "{said:?}");
    assert_eq!(lines.next(), None);

    let all = onward(&["executors", "list", "--json", "--db", &db.url]).await.json();
    assert_eq!((&all[0]["id"], &all[0]["runs"]), (&json!(house.executor_id()), &json!(1)));
    assert_eq!(all[0]["pid"], json!(std::process::id()));
    house.shutdown(secs(5)).await?;
    Ok(())
}
