//! Tests of `onward changes`.

use std::process::Stdio;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::harness::{Said, command, greet, onward, some_runs};

async fn changes(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["changes", "--db", &db.url], arguments].concat()).await
}

/// The lines of JSON.
fn items(said: &Said) -> Vec<serde_json::Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn runs(items: &[serde_json::Value]) -> Vec<&str> {
    let mut runs: Vec<_> = items.iter().filter_map(|item| item["run"].as_str()).collect();
    runs.sort_unstable();
    runs
}

#[on_every_database]
async fn it_prints_a_snapshot_and_goes_on_from_its_last_cursor(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = changes(&db, &["--json", "--until-current"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let all = items(&said);
    assert_eq!(runs(&all), ["family", "family-0", "family-1", "greeting", "refusal", "waiting"]);
    assert_eq!((&all[0]["type"], &all[all.len() - 1]["type"]), (&"snapshot".into(), &"current".into()));
    let cursor = all[all.len() - 1]["cursor"].as_str().unwrap();

    onward.start::<greet>("late".to_owned()).id("late").await?.result().await?;
    let since = items(&changes(&db, &["--json", "--until-current", "--after", cursor]).await);
    assert_eq!(runs(&since), ["late"], "only what changed since");

    let text = changes(&db, &["--until-current", "--status", "running"]).await.out;
    assert!(text.contains("  running            waiting  wait\n") && text.lines().count() == 1, "{text:?}");
    let from_now = items(&changes(&db, &["--json", "--until-current", "--from-now"]).await);
    assert_eq!((from_now.len(), &from_now[0]["type"]), (1, &"current".into()));
    let said = changes(&db, &["--after", "nothing", "--until-current"]).await;
    assert_eq!(said.code, 2, "{said:?}");
    Ok(())
}

#[on_every_database]
async fn it_follows_runs_as_they_change(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let mut follower = command(&["changes", "--db", &db.url, "--workflow", "greet,wait", "--from-now", "--json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await?.unwrap().contains(r#""type":"current""#), "now it follows");
    onward.handle_named("waiting").cancel().await?;
    loop {
        let line = lines.next_line().await?.expect("it goes on");
        let item: serde_json::Value = serde_json::from_str(&line)?;
        if item["run"] == "waiting" && item["status"] == "cancelled" {
            break;
        }
    }
    follower.kill().await?;
    Ok(())
}
