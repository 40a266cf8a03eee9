//! Executors: one on a SQLite file, many on PostgreSQL; taking over, and shutting down.

use std::time::Duration;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::foreign::Foreign;
use crate::house::{House, Log};

#[onward::workflow]
async fn sleeper(ctx: &Ctx, n: u64) -> Result<u64> {
    let step = ctx.step("work", async || {
        ctx.state::<Log>().ran("work");
        Ok(n)
    });
    let n = step.await?;
    ctx.sleep(hours(1)).await?;
    Ok(n + 1)
}

#[on_every_database]
async fn a_graceful_shutdown_releases_its_runs_at_once(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(1).id("s").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.onward.shutdown(secs(5)).await.unwrap();
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.executor), (Status::Running, None));
    assert!(house.onward.executors().await.unwrap().is_empty());
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<sleeper>("s").result()).await.unwrap(), 2);
    let record = house.onward.handle::<sleeper>("s").describe().await.unwrap();
    assert_eq!(record.recoveries, 0, "a release is no recovery");
    assert!(record.owners >= 2);
    assert_eq!(house.log.count("work"), 1);
}

#[on_every_database]
async fn after_a_shutdown_nothing_is_started(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    house.onward.shutdown(secs(1)).await.unwrap();
    assert_eq!(house.onward.start::<sleeper>(1).await.unwrap_err().code(), "stopped");
}

#[on_every_database]
async fn a_second_executor_shares_postgres_and_is_refused_on_sqlite(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<sleeper>()).await;
    let second = Onward::open(db.url.clone()).clock(house.clock.clone()).workflow::<sleeper>().launch().await;
    if db.is_postgres() {
        let second = second.unwrap();
        assert_ne!(second.executor_id(), house.onward.executor_id());
        assert_eq!(second.executors().await.unwrap().len(), 2);
    } else {
        // A SQLite file has one executor.
        let error = second.unwrap_err();
        assert!(error.code() == "busy" && error.message().contains("Client"), "{error}");
    }
}

#[on_every_database]
async fn recoveries_are_counted_and_a_run_that_makes_no_progress_is_given_up(db: TestDatabase) {
    #[onward::workflow]
    async fn stuck(ctx: &Ctx) -> Result<()> {
        let step = ctx.step("stuck", async || {
            ctx.state::<Log>().ran("stuck");
            std::future::pending::<Result<()>>().await
        });
        Ok(step.await?)
    }
    let mut house = House::open(db, |b| b.workflow::<stuck>()).await;
    house.onward.start::<stuck>(()).id("poison").max_recoveries(2).await.unwrap();
    let mut given_up = false;
    for life in 1..8 {
        let begun = async || house.log.count("stuck") >= life;
        let run = house.onward.handle::<stuck>("poison");
        let over = async || run.status().await.unwrap() == Status::RetriesExceeded;
        house.until("the body began, or it was given up", async || begun().await || over().await).await;
        if over().await {
            given_up = true;
            break;
        }
        house.lose_executor().await;
    }
    assert!(given_up);
    let run = house.onward.handle::<stuck>("poison");
    assert_eq!(run.result().await.unwrap_err().code(), "retries_exceeded");
    assert_eq!(run.describe().await.unwrap().recoveries, 3);
    run.resume().await.unwrap();
    house.until("it runs again", async || run.status().await.unwrap() == Status::Running).await;
    assert_eq!(run.describe().await.unwrap().recoveries, 0);
}

#[onward::workflow]
async fn uses_all(ctx: &Ctx) -> Result<i64> {
    ctx.set_event("e", 1).await?;
    ctx.stream("s").append(1).await?;
    ctx.send(ctx.run_id(), "m", 1).await?;
    ctx.transaction("t", async |tx| Ok(tx.first("select 1", ()).await?.is_some())).await?;
    ctx.step("s", async || Ok(())).await?;
    Ok(ctx.recv("m").await?)
}

#[onward::workflow]
async fn never_ends(ctx: &Ctx) -> Result<()> {
    let wait = ctx.step("wait", async || {
        ctx.state::<Log>().ran("wait");
        std::future::pending().await
    });
    Ok(wait.await?)
}

#[on_every_database(only = "postgres", because = "a SQLite file has no sessions")]
async fn what_was_opened_and_is_dropped_leaves_no_session_behind(db: TestDatabase) {
    let (watch, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let query = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let sessions = async || watch.query_one(query, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(sessions().await, 0);
    for how in ["idle", "at work", "shut down"] {
        let log = Log::default();
        let onward =
            Onward::open(&db.url).state(log.clone()).workflows::<(uses_all, never_ends)>().launch().await.unwrap();
        let client = Client::connect(&db.url).await.unwrap();
        let run = client.start::<uses_all>(()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 1);
        assert_eq!(run.get_event::<i64>("e").await.unwrap(), Some(1));
        assert!(sessions().await > 3, "a writer, a listener and more");
        if how == "at work" {
            onward.start::<never_ends>(()).await.unwrap();
            while log.count("wait") == 0 {
                onward_testkit::between_looks().await;
            }
        }
        // Somebody waits for what never comes.
        let waiting = client.clone();
        let waits = tokio::spawn(async move { waiting.get_event::<u8>("nobody", "e").timeout(days(1)).await });
        waits.abort();
        if how == "shut down" {
            onward.shutdown(secs(5)).await.unwrap();
        }
        drop((run, client, onward));
        let began = std::time::Instant::now();
        while sessions().await > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "{} sessions are left, {how}", sessions().await);
            onward_testkit::between_looks().await;
        }
    }
}

/// If that kills the process again, the next owner knows which run it was.
#[on_every_database]
async fn a_run_that_was_recovered_says_what_it_is_about_to_do_before_it_does_it(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<never_ends>()).await;
    house.onward.start::<never_ends>(()).id("r").await.unwrap();
    let attempts = async |onward: &Onward| -> Vec<u32> {
        let steps = onward.handle_named("r").steps().await.unwrap();
        steps.iter().flat_map(|step| &step.attempts).map(|attempt| attempt.attempt).collect()
    };
    house.until("it is seen at work", async || attempts(&house.onward).await == [1]).await;
    house.lose_executor().await;
    house.until("it is at work again", async || house.log.count("wait") == 2).await;
    assert_eq!(attempts(&house.onward).await, [1, 2]);
}

#[onward::workflow]
async fn listens(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

/// Waves of suspects grow, and a run before its last chance comes with no other.
#[on_every_database]
async fn a_suspect_before_its_last_chance_has_its_turn_after_a_wave_that_went_well(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<listens>()).await;
    let first = house.onward.start::<listens>(()).id("first").await.unwrap();
    let last = house.onward.start::<listens>(()).id("last").await.unwrap();
    house.until("both have left memory", async || house.onward.resident_runs() == 0).await;
    let foreign = Foreign::begins(&house.db).await;
    foreign.does("update runs set recoveries = 3 where id = 'first'").await;
    foreign.does("update runs set recoveries = recoveries_max where id = 'last'").await;
    foreign.does("commit").await;
    for run in [&first, &last] {
        run.send("n", 7).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), 7, "{}", run.id());
    }
}
