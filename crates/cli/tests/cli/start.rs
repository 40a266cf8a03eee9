//! Tests of `onward runs start` and `wait`.

use std::process::Stdio;

use onward::Status;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::harness::{command, greet, refuse, runs, wait};

/// The command's clock is the machine's, and so is that of the executor which has to find what it starts.
async fn open(db: &TestDatabase) -> Result<Onward, onward::Error> {
    Onward::open(&db.url).workflows::<(greet, refuse, wait)>().launch().await
}

#[on_every_database]
async fn a_run_is_started_by_the_name_of_its_workflow_and_waited_for(db: TestDatabase) -> Result<()> {
    let _house = open(&db).await?;
    let said = runs(&db, &["start", "greet", "world", "--id", "g", "--attribute", "team=blue", "--user", "ann"]).await;
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "g\n", ""));
    let said = runs(&db, &["wait", "g"]).await;
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "\"hello, world\"\n", ""));
    let shown = runs(&db, &["show", "g", "--json"]).await.json();
    assert_eq!((&shown["attributes"], &shown["identity"]["user"]), (&json!({"team": "blue"}), &json!("ann")));

    let again = runs(&db, &["start", "greet", "world", "--id", "g", "--wait", "--json"]).await;
    assert_eq!((again.code, &again.json()["output"]), (0, &json!("hello, world")), "the same start finds the same run");
    let other = runs(&db, &["start", "greet", "moon", "--id", "g"]).await;
    assert!(other.code == 1 && other.err.contains('g'), "{other:?}");

    let mut typing = command(&["runs", "start", "greet", "-", "--wait", "--db", &db.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    typing.stdin.take().expect("it is piped").write_all(b"\"moon\"\n").await?;
    let said = typing.wait_with_output().await?;
    assert_eq!((said.status.code(), said.stdout.as_slice()), (Some(0), &b"\"hello, moon\"\n"[..]));
    Ok(())
}

#[on_every_database]
async fn the_exit_code_of_a_wait_says_how_it_ended(db: TestDatabase) -> Result<()> {
    let house = open(&db).await?;
    let said = runs(&db, &["start", "refuse", "--wait"]).await;
    assert_eq!((said.code, said.out.as_str()), (4, ""), "{said:?}");
    assert!(said.err.contains(" failed after ") && said.err.contains(r"nobody\nanswers"), "{said:?}");

    assert_eq!(runs(&db, &["start", "wait", "--id", "w"]).await.code, 0);
    let said = runs(&db, &["wait", "w", "--timeout", "0"]).await;
    assert_eq!((said.code, said.out.as_str()), (7, ""), "{said:?}");
    house.handle_named("w").pause().await?;
    let said = runs(&db, &["wait", "w"]).await;
    assert!(said.code == 4 && said.err.contains("w is held: ") && said.err.contains("runs resume w"), "{said:?}");
    assert_eq!(runs(&db, &["wait", "nobody"]).await.code, 3);
    Ok(())
}

#[on_every_database]
async fn a_start_that_waits_for_an_executor_says_so(db: TestDatabase) -> Result<()> {
    let house = open(&db).await?;
    let said = runs(&db, &["start", "gret", "world", "--id", "g", "--json"]).await;
    assert_eq!((said.code, said.json()), (0, json!({"run": "g"})));
    assert_eq!(said.err, "onward: no executor has had workflow `gret` so far: the run waits for one that has it\n");
    assert_eq!(house.handle_named("g").status().await?, Status::Enqueued);

    let refused = runs(&db, &["start", "greet", "world", "--dedup", "k"]).await;
    assert!(refused.code == 2 && refused.err.contains("--queue"), "{refused:?}");
    let refused = runs(&db, &["start", "greet", "world", "--id", ""]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    Ok(())
}
