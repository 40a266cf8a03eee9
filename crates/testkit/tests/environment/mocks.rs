//! Steps and workflows that a test replaces.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onward::prelude::*;
use onward_testkit::{TestDatabase, TestEnvironment, on_every_database};
use serde::{Deserialize, Serialize};

/// How often real bodies ran.
#[derive(Clone, Default)]
struct Real(Arc<AtomicUsize>);

#[derive(Debug, Serialize, Deserialize)]
struct Declined {
    by: String,
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "declined by {}", self.by)
    }
}

impl std::error::Error for Declined {}

#[onward::workflow]
async fn checkout(ctx: &Ctx, cents: u64) -> Result<String> {
    let real = ctx.state::<Real>();
    let body = async || Ok(format!("{cents} cents, charge {}", real.0.fetch_add(1, Ordering::SeqCst)));
    let charge = ctx.step("charge", body).attempts(3).backoff(hours(1)..hours(1)).timeout(mins(5)).errors::<Declined>();
    match charge.retry_if(|error| !error.is::<Declined>()).await {
        Ok(receipt) => Ok(ctx.run::<ship>(receipt).await?),
        Err(error) => Ok(format!("ask {}", error.downcast::<Declined>()?.by)),
    }
}

#[onward::workflow]
async fn ship(ctx: &Ctx, receipt: String) -> Result<String> {
    ctx.sleep(days(2)).await?;
    Ok(format!("shipped: {receipt}"))
}

#[onward::workflow]
async fn book(ctx: &Ctx, _: ()) -> Result<u32> {
    Ok(ctx.transaction("book", async |tx| Ok(tx.query("select no from such_a_table", ()).await?.len() as u32)).await?)
}

async fn environment(db: &TestDatabase) -> (TestEnvironment, Real) {
    let real = Real::default();
    let builder = Onward::open(db.url.clone()).workflows::<(checkout, ship, book)>().state(real.clone());
    (TestEnvironment::launch(builder).await.unwrap(), real)
}

#[on_every_database]
async fn a_mocked_step_is_recorded_and_its_body_does_not_run(db: TestDatabase) -> Result<()> {
    let (env, real) = environment(&db).await;
    let charge = env.mock_step("charge", |attempt| match attempt.attempt {
        1 => Err("the bank is closed".into()),
        _ => Ok(format!("receipt of {} of {}", attempt.step, attempt.workflow)),
    });
    let (began, run) = (env.now(), env.start::<checkout>(4200).await?);
    assert_eq!(env.result(&run).await?, "shipped: receipt of charge of checkout");
    assert_eq!((charge.calls(), real.0.load(Ordering::SeqCst)), (2, 0));
    assert!(env.now() > began + days(2), "the pause before the second attempt");
    let steps = run.steps().await?;
    let failed: Vec<_> = steps[0].attempts.iter().filter_map(|attempt| attempt.error.as_ref()).collect();
    assert_eq!((&*steps[0].name, failed.len()), ("charge", 1));
    assert!(failed[0].as_str().contains("the bank is closed"), "{failed:?}");
    Ok(env.close().await?)
}

#[on_every_database]
async fn the_error_of_a_mock_comes_back_typed(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    let charge = env.mock_step("charge", |_| Err::<String, _>(Declined { by: "the bank".into() }.into()));
    let run = env.start::<checkout>(4200).await?;
    assert_eq!(env.result(&run).await?, "ask the bank");
    assert_eq!(charge.calls(), 1);
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_mock_takes_time_without_taking_any(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    env.mock_step("charge", |_| Ok("receipt".to_owned())).takes(mins(3));
    let (began, run) = (env.now(), env.start::<checkout>(4200).await?);
    assert_eq!(env.result(&run).await?, "shipped: receipt");
    assert_eq!(env.now(), began + days(2) + mins(3));
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_step_that_hangs_ends_with_its_timeout(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    let charge = env.hang_step("charge");
    let (began, run) = (env.now(), env.start::<checkout>(4200).await?);
    let error = env.result(&run).await.unwrap_err();
    assert!(error.message().contains("timed out"), "{error}");
    assert_eq!(charge.calls(), 3);
    assert!(env.now() >= began + mins(15) + hours(1));
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_mocked_workflow_stands_in_for_a_child(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    let mock = env.mock_workflow::<ship>(|receipt| Ok(format!("label for {receipt}"))).await?;
    let (began, run) = (env.now(), env.start::<checkout>(4200).await?);
    assert_eq!(env.result(&run).await?, "label for 4200 cents, charge 0");
    assert_eq!((mock.calls(), env.now()), (1, began));
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_mocked_transaction_needs_no_tables(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    env.mock_step("book", |_| Ok(7));
    let run = env.start::<book>(()).await?;
    assert_eq!(env.result(&run).await?, 7);
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_mock_of_another_type_than_the_step_holds_the_run(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    env.mock_step("charge", |_| Ok(7));
    let run = env.start::<checkout>(4200).await?;
    let error = env.result(&run).await.unwrap_err();
    assert!(error.message().contains("`charge`"), "{error}");
    Ok(env.close().await?)
}

#[on_every_database]
async fn what_was_prepared_in_vain_is_reported(db: TestDatabase) -> Result<()> {
    let (env, _) = environment(&db).await;
    env.mock_step("chrage", |_| Ok(7));
    env.crash_after_step("pay");
    let run = env.start::<checkout>(4200).await?;
    assert_eq!(env.result(&run).await?, "shipped: 4200 cents, charge 0");
    let error = env.close().await.unwrap_err();
    assert!(error.message().contains("the mock of step `chrage` was never called"), "{error}");
    assert!(error.message().contains("the crash after step `pay` did not happen"), "{error}");
    Ok(())
}
