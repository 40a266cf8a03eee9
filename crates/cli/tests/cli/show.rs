//! Tests of `onward runs show`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::harness::{assert_golden, runs, some_runs};

#[on_every_database]
async fn all_that_is_known_of_a_run_is_shown(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    for id in ["greeting", "refusal", "waiting", "family", "family-1"] {
        let said = runs(&db, &["show", id]).await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{id}");
        assert_golden(&format!("show {id}"), &said.out);
    }
    Ok(())
}

#[on_every_database]
async fn a_key_looks_the_same_to_people_and_programs(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let key = runs(&db, &["show", "greeting", "--json"]).await.json()["key"].as_str().unwrap_or_default().to_owned();
    assert_eq!(key.len(), "01a1febb-2658-7000-8000-000000000000".len());
    let shown = runs(&db, &["show", "greeting"]).await.out;
    assert!(shown.contains(&key), "{key} is not in {shown}");
    Ok(())
}

#[on_every_database]
async fn a_program_gets_the_record_and_the_children(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let shown = runs(&db, &["show", "family", "--json"]).await.json();
    assert_eq!(shown["status"], "succeeded");
    assert_eq!(shown["output"], "hello, first and hello, second");
    assert_eq!(shown["children"], serde_json::json!(["family-0", "family-1"]));
    let child = runs(&db, &["show", "family-1", "--json"]).await.json();
    let waiting = runs(&db, &["show", "waiting", "--json"]).await.json();
    assert_eq!((&waiting["timeout_ms"], waiting.get("timeout")), (&172_800_000.into(), None));
    assert_eq!((&child["parent"], &child["parent_position"]), (&"family".into(), &1.into()));
    Ok(())
}

#[on_every_database]
async fn fields_that_are_masked_are_not_shown(db: TestDatabase) {
    let _onward = some_runs(&db).await.unwrap();
    let said = runs(&db, &["show", "greeting", "--json", "--mask", "password,team"]).await;
    assert_eq!(said.json()["attributes"], serde_json::json!({"team": "***"}));
    let said = runs(&db, &["list", "--attribute", "team=blue", "--mask", "team", "--json"]).await;
    assert!(said.code == 0 && said.out.contains("***") && !said.out.contains("blue"), "{said:?}");
}
