//! Executors that are lost in the middle of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onward::prelude::*;
use onward_testkit::{TestDatabase, TestEnvironment, on_every_database};

/// How often each of two bodies ran, and how often the workflow began.
#[derive(Clone, Default)]
struct Counts(Arc<[AtomicUsize; 3]>);

impl Counts {
    fn one(&self, which: usize) -> usize {
        self.0[which].fetch_add(1, Ordering::SeqCst)
    }

    fn all(&self) -> [usize; 3] {
        [0, 1, 2].map(|which| self.0[which].load(Ordering::SeqCst))
    }
}

#[onward::workflow]
async fn checkout(ctx: &Ctx, cents: u64) -> Result<u64> {
    let counts = ctx.state::<Counts>();
    counts.one(2);
    let charge = async || {
        counts.one(0);
        Ok(cents)
    };
    let receipt = ctx.step("charge", charge).await?;
    let ship = async || {
        counts.one(1);
        Ok(())
    };
    ctx.step("ship", ship).await?;
    ctx.sleep(days(1)).await?;
    Ok(receipt)
}

#[onward::workflow]
async fn moody(ctx: &Ctx, _: ()) -> Result<()> {
    let mood = if ctx.state::<Counts>().one(2) == 0 { "smile" } else { "frown" };
    ctx.step(mood, async || Ok(())).await?;
    Ok(ctx.sleep(days(1)).await?)
}

#[onward::workflow]
async fn interrupted(ctx: &Ctx, _: ()) -> Result<usize> {
    let counts = ctx.state::<Counts>();
    let body = async || {
        if counts.one(0) == 0 {
            counts.one(1);
            std::future::pending::<()>().await;
        }
        Ok(counts.all()[0])
    };
    Ok(ctx.step("work", body).await?)
}

#[onward::workflow]
async fn book(ctx: &Ctx, _: ()) -> Result<i64> {
    let counts = ctx.state::<Counts>();
    let body = async |tx: onward::sql::SqlTx| {
        counts.one(0);
        Ok(tx.query("select 7 as seven", ()).await?.len() as i64)
    };
    let rows = ctx.transaction("book", body).await?;
    counts.one(1);
    Ok(rows)
}

async fn environment(db: &TestDatabase) -> (TestEnvironment, Counts) {
    let counts = Counts::default();
    let builder =
        Onward::open(db.url.clone()).workflows::<(checkout, moody, interrupted, book)>().state(counts.clone());
    (TestEnvironment::launch(builder).await.unwrap(), counts)
}

#[on_every_database]
async fn recorded_steps_do_not_run_again(db: TestDatabase) -> Result<()> {
    let (env, counts) = environment(&db).await;
    let (began, run) = (env.now(), env.start::<checkout>(4200).await?);
    env.settle().await?;
    for _ in 0..3 {
        env.crash().await?;
    }
    assert_eq!(counts.all(), [1, 1, 4]);
    assert_eq!(env.result(&run).await?, 4200);
    assert_eq!(counts.all()[..2], [1, 1]);
    assert_eq!(env.now(), began + days(1), "a sleep keeps its time");
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_crash_after_a_step_comes_before_everything_behind_it(db: TestDatabase) -> Result<()> {
    let (env, counts) = environment(&db).await;
    env.crash_after_step("charge");
    let before = env.executor_id();
    let run = env.start::<checkout>(4200).await?;
    env.settle().await?;
    assert_eq!(counts.all(), [1, 1, 2], "the first executor did not begin the second step");
    assert_ne!(env.executor_id(), before);
    assert_eq!(run.describe().await?.owners, 2);
    assert_eq!(env.result(&run).await?, 4200);
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_crash_after_a_transaction_does_not_repeat_it(db: TestDatabase) -> Result<()> {
    let (env, counts) = environment(&db).await;
    env.crash_after_step("book");
    let run = env.start::<book>(()).await?;
    assert_eq!(env.result(&run).await?, 1);
    assert_eq!((counts.all()[0], run.describe().await?.owners), (1, 2));
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_body_that_was_running_runs_again(db: TestDatabase) -> Result<()> {
    let (env, counts) = environment(&db).await;
    let run = env.start::<interrupted>(()).await?;
    while counts.all()[1] == 0 {
        tokio::task::yield_now().await;
    }
    env.crash().await?;
    assert_eq!(env.result(&run).await?, 2);
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_workflow_that_is_not_deterministic_is_held(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    let run = env.start::<moody>(()).await?;
    env.settle().await?;
    env.crash().await?;
    let error = env.result(&run).await.unwrap_err();
    assert_eq!(error.code(), "diverged");
    assert!(error.message().contains("`smile`") && error.message().contains("`frown`"), "{error}");
    Ok(env.close().await?)
}
