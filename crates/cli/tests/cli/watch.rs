//! Tests of `onward runs watch`.

use std::process::Stdio;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::harness::{command, lend, runs, some_runs};

#[on_every_database]
async fn the_exit_code_says_how_the_run_ended(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let said = runs(&db, &["watch", "greeting"]).await;
    assert_eq!(said.code, 0);
    assert!(said.out.ends_with("greeting succeeded after 0 ms: \"hello, world\"\n"), "{said:?}");

    let said = runs(&db, &["watch", "refusal"]).await;
    assert_eq!(said.code, 4);
    assert!(said.out.contains("refusal failed after 0 ms"), "{said:?}");
    Ok(())
}

#[on_every_database]
async fn a_held_run_is_not_waited_for(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    // It uses state that was not provided.
    onward.start::<lend>(()).id("div").await?.result().await.expect_err("it is held");
    let said = runs(&db, &["watch", "div"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    let last = said.out.lines().last().unwrap_or_default();
    assert!(last.starts_with("div is held: "), "{said:?}");
    assert!(last.ends_with("; fix the code, then run `onward runs resume div`"), "{said:?}");
    assert_eq!(runs(&db, &["watch", "div", "--json"]).await.json()["status"], "paused");
    Ok(())
}

#[on_every_database]
async fn a_run_that_somebody_paused_needs_nothing_but_to_be_resumed(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    assert_eq!(runs(&db, &["pause", "waiting"]).await.code, 0);
    let said = runs(&db, &["watch", "waiting"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    let last = said.out.lines().last().unwrap_or_default();
    assert_eq!(last, "waiting is held: paused; `resume` continues it; run `onward runs resume waiting`");
    Ok(())
}

#[on_every_database]
async fn a_run_is_followed_until_it_ends(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let mut watch = command(&["runs", "watch", "waiting", "--json", "--db", &db.url]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();

    let first: Value = serde_json::from_str(&lines.next_line().await?.expect("a line"))?;
    assert_eq!((&first["status"], &first["under_way"]), (&"running".into(), &1.into()));
    let at: Timestamp = first["at"].as_str().unwrap_or_default().parse()?;
    assert_eq!(at.subsec_nanosecond() % 1_000, 0, "{first}");
    let reason = first["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("sleeps until 2026-01-03T12:00:00"), "{reason}");

    onward.handle_named("waiting").cancel().await?;
    let mut last = first;
    while let Some(line) = lines.next_line().await? {
        last = serde_json::from_str(&line)?;
    }
    assert_eq!(last["status"], "cancelled");
    assert_eq!(watch.wait().await?.code(), Some(4));
    Ok(())
}
