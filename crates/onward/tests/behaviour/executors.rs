//! Executors: one on a SQLite file, many on PostgreSQL; taking over, and shutting down.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

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
