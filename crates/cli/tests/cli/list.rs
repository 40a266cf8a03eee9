//! Tests of `onward runs list`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::Value;

use crate::harness::{Said, assert_golden, onward, runs, some_runs};

fn ids(said: &Said) -> Vec<String> {
    let page = said.json();
    let items = page["items"].as_array().expect("a page has items");
    items.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

#[on_every_database]
async fn runs_are_listed_newest_first(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let said = runs(&db, &["list"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_golden("list", &said.out);
    Ok(())
}

#[on_every_database]
async fn each_filter_filters(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    for (filter, expected) in [
        (&["--status", "failed,running"][..], &["waiting", "refusal"][..]),
        (&["--workflow", "greet"], &["family-1", "family-0", "greeting"]),
        (&["--prefix", "family"], &["family-1", "family-0", "family"]),
        (&["--parent", "family"], &["family-1", "family-0"]),
        (&["--limit", "1"], &["family-1"]),
        (&["--limit", "2", "--oldest-first"], &["greeting", "refusal"]),
    ] {
        let said = runs(&db, &[&["list", "--json"], filter].concat()).await;
        assert_eq!(ids(&said), expected, "{filter:?}");
    }
    Ok(())
}

#[on_every_database]
async fn a_window_begins_with_its_first_moment_and_ends_before_its_last(db: TestDatabase) -> Result<()> {
    // Everything happened at noon; one run has not ended.
    let _onward = some_runs(&db).await?;
    let (noon, later) = ("2026-01-02T12:00:00Z", "2026-01-02T12:00:00.000001Z");
    for (what, all) in [("created", 6), ("started", 6), ("finished", 5)] {
        let [from, until] = ["from", "until"].map(|end| format!("--{what}-{end}"));
        for (end, at, expected) in [(&from, noon, all), (&from, later, 0), (&until, noon, 0), (&until, later, all)] {
            let said = runs(&db, &["list", "--json", end, at]).await;
            assert_eq!(ids(&said).len(), expected, "{end} {at}");
        }
    }
    Ok(())
}

#[on_every_database]
async fn pages_follow_each_other_to_the_end(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let mut found = Vec::new();
    let mut after: Vec<String> = Vec::new();
    loop {
        let more: Vec<&str> = after.iter().map(String::as_str).collect();
        let said = runs(&db, &[&["list", "--json", "--limit", "4"], &more[..]].concat()).await;
        found.extend(ids(&said));
        let Value::String(next) = said.json()["next"].clone() else { break };
        after = vec!["--after".to_owned(), next];
    }
    assert_eq!(found, ["family-1", "family-0", "family", "waiting", "refusal", "greeting"]);
    let first = runs(&db, &["list", "--limit", "4"]).await;
    assert!(first.out.contains("there are more: add --after "), "{first:?}");
    Ok(())
}

#[on_every_database]
async fn a_list_without_runs_says_so(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    assert_eq!(runs(&db, &["list", "--workflow", "nothing"]).await.out, "no runs\n");
    Ok(())
}

#[on_every_database]
async fn the_database_can_be_named_by_the_environment(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let output = crate::harness::command(&["runs", "list", "--json"]).env("ONWARD_DB", &db.url).output().await?;
    assert!(output.status.success());
    let named = onward(&["runs", "list", "--json", "--db", &db.url]).await;
    assert_eq!(String::from_utf8(output.stdout)?, named.out);
    Ok(())
}

#[on_every_database]
async fn the_database_can_be_named_before_the_command(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let after = onward(&["runs", "list", "--json", "--db", &db.url]).await;
    for arguments in [["--db", &db.url, "runs", "list"], ["runs", "--db", &db.url, "list"]] {
        let mut command = crate::harness::command(&[&arguments[..], &["--json"]].concat());
        // The argument takes precedence over the variable.
        let output = command.env("ONWARD_DB", "sqlite:elsewhere.db").output().await?;
        assert_eq!(String::from_utf8(output.stdout)?, after.out, "{arguments:?}");
    }
    Ok(())
}
