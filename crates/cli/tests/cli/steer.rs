//! Tests of `onward runs cancel`, `resume` and `start-now`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::harness::{gather, greet, open, runs, some_runs};

#[on_every_database]
async fn a_cancelled_run_can_be_resumed(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["cancel", "waiting"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "waiting is cancelled\n"));
    assert_eq!(onward.handle_named("waiting").status().await?, Status::Cancelled);
    let said = runs(&db, &["cancel", "waiting"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "waiting was already cancelled\n"));
    assert_eq!(runs(&db, &["cancel", "waiting", "--json"]).await.json()[0]["changed"], false);

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
    for (verb, said) in [
        (&["start-now", "waiting"][..], "waiting has already started\n"),
        (&["pause", "waiting"], "waiting is paused\n"),
        (&["pause", "waiting"], "waiting is already paused\n"),
        (&["cancel", "refusal"], "refusal has already failed: nothing to cancel\n"),
        (&["wake-up", "--status", "paused"], "1 runs: 1 woken up (1 sleeps)\n"),
        (&["delete", "family", "--with-children"], "family is deleted, with 2 runs that it started\n"),
    ] {
        let steered = runs(&db, verb).await;
        assert_eq!((steered.code, steered.out.as_str()), (0, said), "{steered:?}");
    }
    Ok(())
}
