//! Tests of `onward runs list`.

use std::process::Stdio;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::Value;

use crate::harness::{Said, assert_golden, command, gather, greet, onward, open, runs, some_runs};

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
        (&["--contains", "mily-"], &["family-1", "family-0"]),
        (&["--not-status", "failed,succeeded"], &["waiting"]),
        (&["--not-workflow", "greet", "--not-status", "running"], &["family", "refusal"]),
        (&["--origin", "child"], &["family-1", "family-0"]),
        (&["--not-origin", "child", "--prefix", "family"], &["family"]),
        (&["--error-code", "failed"], &["refusal"]),
        (&["--sort", "finished", "--status", "failed"], &["refusal"]),
        (&["--min-duration", "0", "--prefix", "greeting"], &["greeting"]),
        (&["--max-duration", "0", "--prefix", "greeting"], &["greeting"]),
        (&["--attribute-min", "cost=1"], &[]),
        (&["--attribute", "a=1", "--attribute", "a=2"], &[]),
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

#[on_every_database]
async fn runs_are_found_by_whose_they_are_who_has_them_and_what_they_were_forked_from(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    onward.start::<greet>("ann".to_owned()).id("hers").authenticated_as("ann", ["admin"]).await?.result().await?;
    for fork in [&["--new-id", "again"][..], &["--new-id", "newer", "--new-version", "2"]] {
        assert_eq!(runs(&db, &[&["fork", "greeting", "--from", "1"], fork].concat()).await.code, 0, "{fork:?}");
    }
    let executor = onward.executor_id().to_string();
    for (filter, expected) in [
        (&["--user", "ann"][..], &["hers"][..]),
        (&["--user", "bob"], &[]),
        (&["--executor", &executor], &["waiting"]),
        (&["--executor", "nobody"], &[]),
        (&["--forked-from", "greeting"], &["newer", "again"]),
        (&["--forked-from", "refusal"], &[]),
        (&["--run-version", "2"], &["newer"]),
        (&["--attribute", "team=blue"], &["newer", "again", "greeting"]),
        (&["--attribute", "team=red"], &[]),
    ] {
        let said = runs(&db, &[&["list", "--json"], filter].concat()).await;
        assert_eq!(ids(&said), expected, "{filter:?}");
    }
    Ok(())
}

#[on_every_database]
async fn inputs_and_outputs_are_read_where_they_are_asked_for(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let read = async |more: &[&str]| {
        let page = runs(&db, &[&["list", "greeting", "--json"], more].concat()).await.json();
        (page["items"][0]["input"].clone(), page["items"][0]["output"].clone())
    };
    assert_eq!(read(&["--with-payloads"]).await, ("world".into(), "hello, world".into()));
    assert_eq!(read(&[]).await, (Value::Null, Value::Null));
    Ok(())
}

#[on_every_database]
async fn a_page_has_fifty_runs_and_a_run_is_shown_with_its_first_twenty_children(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    let party = onward.start::<gather>(50).id("party").await?;
    let is_late = async || onward.handle_named("late").steps().await.is_ok_and(|steps| !steps.is_empty());
    while party.children().await?.len() < 51 || !is_late().await {
        tokio::task::yield_now().await;
    }
    let page = runs(&db, &["list", "--json"]).await;
    assert_eq!((ids(&page).len(), page.json()["next"].is_string()), (50, true));
    let shown = runs(&db, &["show", "party"]).await.out;
    assert!(shown.contains("\n51 children\n") && shown.contains("\nguest-20 "), "{shown}");
    assert!(!shown.contains("guest-21"), "{shown}");
    let all = "all of them: onward runs list --parent party --limit 51\n";
    assert!(shown.ends_with(all), "{shown}");
    Ok(())
}

#[on_every_database]
async fn whoever_has_read_enough_may_close_the_pipe(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let mut list = command(&["runs", "list", "--db", &db.url]);
    let mut list = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(list.stdout.take());
    let ended = list.wait_with_output().await?;
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr)?), (Some(0), String::new()));
    Ok(())
}
