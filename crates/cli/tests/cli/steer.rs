//! Tests of `onward runs cancel`, `resume` and `start-now`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::harness::{gather, greet, open, runs, some_runs};

#[on_every_database]
async fn a_cancelled_run_can_be_resumed(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["cancel", "waiting"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "waiting is cancelled\n"));
    assert_eq!(onward.handle_named("waiting").status().await?, Status::Cancelled);
    let said = runs(&db, &["cancel", "waiting"]).await;
    assert_eq!((said.code, said.out.as_str()), (6, "waiting was already cancelled\n"));
    let said = runs(&db, &["cancel", "waiting", "--json"]).await;
    assert_eq!(said.code, 6);
    let said = said.json();
    assert_eq!((&said[0]["changed"], &said[0]["found"]), (&json!(false), &json!("cancelled")));

    let said = runs(&db, &["resume", "waiting"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!onward.handle_named("waiting").status().await?.is_terminal());
    let said = runs(&db, &["resume", "waiting"]).await;
    assert_eq!(said.out, "waiting is already in progress: nothing to resume\n");
    Ok(())
}

#[on_every_database]
async fn several_runs_are_steered_even_if_one_of_them_refuses(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["cancel", "greeting", "nobody", "waiting"]).await;
    assert_eq!(said.code, 3);
    assert_eq!(said.out, "greeting has already succeeded: nothing to cancel\nwaiting is cancelled\n");
    assert_eq!(said.err, "onward: no run has the id `nobody`\n");
    assert_eq!(onward.handle_named("waiting").status().await?, Status::Cancelled);
    Ok(())
}

#[on_every_database]
async fn of_several_refusals_the_first_gives_the_exit_code(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    assert_eq!(runs(&db, &["pause", "nobody", "greeting"]).await.code, 3);
    assert_eq!(runs(&db, &["pause", "greeting", "nobody"]).await.code, 1);
    Ok(())
}

#[on_every_database]
async fn what_has_succeeded_cannot_be_resumed(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let said = runs(&db, &["resume", "greeting", "--json"]).await;
    assert_eq!(said.code, 1);
    assert_eq!(said.json()[0]["error"]["code"], "illegal_move");
    Ok(())
}

#[on_every_database]
async fn a_run_that_waits_is_started_past_its_queue(db: TestDatabase) -> Result<()> {
    // With the system clock, because the command sets by its own clock when the run may be claimed.
    let onward = Onward::open(&db.url).workflow::<greet>().launch().await?;
    onward.queue("q").concurrency(1).await?;
    onward.queue("q").pause().await?;
    let run = onward.start_named("greet", "now").queue("q").id("queued").await?;
    let said = runs(&db, &["start-now", "queued", "nobody"]).await;
    assert_eq!((said.code, said.out.as_str()), (3, "queued starts when an executor claims it\n"), "{said:?}");
    assert_eq!(run.result().await?, "hello, now");
    let said = runs(&db, &["start-now", "queued"]).await;
    assert!(said.code == 1 && said.err.contains("it has ended"), "{said:?}");
    Ok(())
}

#[on_every_database]
async fn what_is_steered_with_a_run_is_counted(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    onward.start::<gather>(0).id("party").await?;
    let is_late = async || onward.handle_named("late").steps().await.is_ok_and(|steps| !steps.is_empty());
    while !is_late().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(runs(&db, &["cancel", "party"]).await.out, "party is cancelled, and 1 run that it started\n");
    while onward.handle_named("late").describe().await?.executor.is_some() {
        tokio::task::yield_now().await;
    }
    let said = runs(&db, &["resume", "party"]).await.out;
    assert!(said.ends_with(", and 1 run that had been stopped with it\n"), "{said}");
    assert_eq!(runs(&db, &["cancel", "--prefix", "late"]).await.out, "1 runs: 1 cancelled\n");
    Ok(())
}

#[on_every_database]
async fn what_is_so_already_is_said_to_be_so(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    for (verb, code, said) in [
        (&["start-now", "waiting"][..], 6, "waiting has already started\n"),
        (&["pause", "waiting"], 0, "waiting is paused\n"),
        (&["pause", "waiting"], 6, "waiting is already paused\n"),
        (&["cancel", "refusal"], 6, "refusal has already failed: nothing to cancel\n"),
        (&["wake-up", "--status", "paused"], 0, "1 runs: 1 woken up (1 sleeps)\n"),
        (&["wake-up", "waiting"], 6, "waiting is not sleeping: nothing to wake\n"),
        (&["delete", "family", "--with-children"], 0, "family is deleted, with 2 runs that it started\n"),
    ] {
        let steered = runs(&db, verb).await;
        assert_eq!((steered.code, steered.out.as_str()), (code, said), "{steered:?}");
    }
    Ok(())
}

#[on_every_database]
async fn who_steers_a_run_and_why_is_shown(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let said = runs(&db, &["cancel", "waiting", "--by", "ann", "--reason", "duplicate", "--json"]).await;
    assert_eq!((said.code, &said.json()[0]["found"]), (0, &json!("running")));
    let shown = runs(&db, &["show", "waiting", "--json"]).await.json();
    assert!(shown["reason"].as_str().unwrap().starts_with("cancelled by ann: \"duplicate\""), "{shown}");
    assert_eq!((&shown["steered"]["by"], &shown["steered"]["reason"]), (&json!("ann"), &json!("duplicate")));
    assert_eq!((&shown["steerings"][0]["seq"], &shown["steerings"][0]["action"]), (&json!(1), &json!("cancel")));
    let shown = runs(&db, &["show", "waiting"]).await.out;
    let (_, history) = shown.split_once("\nhistory\n").unwrap();
    assert!(history.contains("cancelled by ann: \"duplicate\""), "{shown}");
    let refused = runs(&db, &["cancel", "waiting", "--reason", " "]).await;
    assert!(refused.code == 2 && refused.err.contains("the reason is empty"), "{refused:?}");
    Ok(())
}

#[on_every_database]
async fn a_dry_run_says_what_would_be_done_and_why_not_and_does_nothing(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["pause", "--all", "--dry-run"]).await;
    let first = said.out.lines().next().unwrap();
    assert_eq!((said.code, first), (0, "6 runs: 1 would be paused, 5 refused because of their state"), "{said:?}");
    assert!(said.out.contains("  4 succeeded, such as ") && said.out.contains(": it has ended"), "{said:?}");
    let said = runs(&db, &["cancel", "waiting", "greeting", "nobody", "--dry-run", "--json"]).await.json();
    assert_eq!((&said["matched"], &said["would_change"], &said["unchanged"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(said["by_status"], json!({"running": 1, "succeeded": 1}));
    assert_eq!(onward.handle_named("waiting").status().await?, Status::Running);
    Ok(())
}

#[on_every_database]
async fn a_family_is_paused_and_resumed_by_its_root(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    onward.start::<gather>(0).id("party").await?;
    let is_late = async || onward.handle_named("late").steps().await.is_ok_and(|steps| !steps.is_empty());
    while !is_late().await {
        tokio::task::yield_now().await;
    }
    let said = runs(&db, &["pause", "party", "--with-children"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "party is paused, and 1 run that it started\n"), "{said:?}");
    assert_eq!(onward.handle_named("late").status().await?, Status::Paused);
    let said = runs(&db, &["resume", "party"]).await.out;
    assert!(said.ends_with(", and 1 run that had been stopped with it\n"), "{said}");
    Ok(())
}
