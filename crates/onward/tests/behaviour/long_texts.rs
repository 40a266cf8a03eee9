//! What is too long for the row of a run is beside it, and looks the same to everybody.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn fails_at_length(ctx: &Ctx) -> Result<()> {
    ctx.now().await?;
    Err("no luck ".repeat(1_000).into())
}

#[on_every_database]
async fn a_long_error_is_read_whole_here_and_elsewhere(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<fails_at_length>()).await;
    let run = house.onward.start::<fails_at_length>(()).await.unwrap();
    house.done(run.result()).await.unwrap_err();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let error = client.handle_named(run.id()).result().await.unwrap_err();
    assert_eq!(error.message().len(), 8_000);
    assert_eq!(client.handle_named(run.id()).describe().await.unwrap().error, run.describe().await.unwrap().error);
}

mod before {
    use super::*;

    #[onward::workflow]
    pub(super) async fn renames(ctx: &Ctx) -> Result<()> {
        ctx.step("a".repeat(500), async || Ok(())).await?;
        Ok(ctx.recv("go").await?)
    }
}

mod after {
    use super::*;

    #[onward::workflow]
    pub(super) async fn renames(ctx: &Ctx) -> Result<()> {
        Ok(ctx.step("b".repeat(500), async || Ok(())).await?)
    }
}

#[on_every_database]
async fn a_long_reason_to_hold_a_run_is_gone_once_it_is_resumed(db: TestDatabase) {
    // Only what the lost executor had in memory does the next one load.
    let mut house = House::open(db, |b| b.park_after(days(1))).await;
    house.lose_executor_for(|b| b.workflow::<before::renames>()).await;
    let run = house.onward.start::<before::renames>(()).id("r").await.unwrap();
    house.until("it waits", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor_for(|b| b.workflow::<after::renames>()).await;
    let run = house.onward.handle_named("r");
    house.until("it is held", async || run.status().await.unwrap() == Status::Paused).await;
    assert!(run.describe().await.unwrap().error.unwrap().len() > 1_024);
    house.lose_executor_for(|b| b.workflow::<before::renames>()).await;
    let run = house.onward.handle_named("r");
    run.resume().await.unwrap();
    house.until("it waits again", async || house.onward.resident_runs() == 1).await;
    assert_eq!(run.describe().await.unwrap().error, None);
}
