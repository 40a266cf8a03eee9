//! Code that changed under a run: seen, shown, nothing lost, and mended.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

mod before {
    use super::*;

    #[onward::workflow]
    pub(super) async fn order(ctx: &Ctx) -> Result<String> {
        let charged: String = ctx.step("charge", async || Ok("charged".into())).await?;
        ctx.sleep(hours(1)).await?;
        Ok(charged)
    }
}

mod renamed {
    use super::*;

    #[onward::workflow]
    pub(super) async fn order(ctx: &Ctx) -> Result<String> {
        let refunded: String = ctx.step("refund", async || Ok("refunded".into())).await?;
        Ok(refunded)
    }
}

mod removed {
    use super::*;

    #[onward::workflow]
    pub(super) async fn order(_ctx: &Ctx) -> Result<String> {
        Ok("nothing to do".into())
    }
}

mod swapped {
    use super::*;

    #[onward::workflow]
    pub(super) async fn order(ctx: &Ctx) -> Result<String> {
        let later = ctx.step("later", async || Ok(String::new()));
        ctx.sleep(hours(1)).await?;
        Ok(later.await?)
    }
}

async fn diverges<W: Workflow<Input = (), Output = String>>(db: TestDatabase, expected: &[&str]) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<before::order>()).await;
    let run = house.onward.start::<before::order>(()).id("o").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor_for(|b| b.workflow::<W>()).await;
    let run = house.onward.handle::<W>("o");
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.is_diverged(), "{error:?}");
    for part in expected {
        assert!(error.message().contains(part), "{error} does not name {part}");
    }
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.executor), (Status::Paused, None));
    assert!(record.reason.contains("charge"), "{}", record.reason);
    // Nothing was lost: with the old code back it goes on from where it was.
    house.lose_executor_for(|b| b.workflow::<before::order>()).await;
    let run = house.onward.handle::<before::order>("o");
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "charged");
}

#[on_every_database]
async fn a_renamed_step_is_shown_recorded_against_requested_and_can_be_mended(db: TestDatabase) {
    diverges::<renamed::order>(db, &["position 0", "step `charge`", "step `refund`"]).await;
}

#[on_every_database]
async fn a_removed_step_is_shown_and_can_be_mended(db: TestDatabase) {
    diverges::<removed::order>(db, &["the code returned", "step `charge`"]).await;
}

#[on_every_database]
async fn a_call_that_is_not_asked_for_any_more_is_shown(db: TestDatabase) {
    diverges::<swapped::order>(db, &["position 0", "step `charge`"]).await;
}
