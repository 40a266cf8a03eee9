//! Errors: typed ones come back typed, and what is missing is named.

use std::fmt;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::house::House;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum ChargeError {
    Declined { cents: u64 },
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChargeError::Declined { cents } = self;
        write!(f, "{cents} cents were declined")
    }
}

impl std::error::Error for ChargeError {}

#[onward::step]
async fn charge(cents: u64) -> Result<(), ChargeError> {
    Err(ChargeError::Declined { cents })
}

#[onward::workflow]
async fn shop(ctx: &Ctx, cents: u64) -> Result<u64> {
    let error = charge(ctx, cents).await.unwrap_err();
    let ChargeError::Declined { cents } = error.downcast::<ChargeError>()?;
    ctx.sleep(hours(1)).await?;
    Ok(cents)
}

#[on_every_database]
async fn a_typed_error_comes_back_typed_live_and_on_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<shop>()).await;
    let run = house.onward.start::<shop>(99).id("shop").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<shop>("shop").result()).await.unwrap(), 99);
}

#[onward::workflow]
async fn passes_on(ctx: &Ctx) -> Result<()> {
    Ok(charge(ctx, 5).await?)
}

#[on_every_database]
async fn a_typed_error_of_a_step_is_that_of_the_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<passes_on>()).await;
    let run = house.onward.start::<passes_on>(()).await.unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!(error.downcast::<ChargeError>().unwrap(), ChargeError::Declined { cents: 5 });
}

struct Missing;

#[onward::workflow]
async fn forgetful(ctx: &Ctx) -> Result<()> {
    let _: &Missing = ctx.state::<Missing>();
    Ok(())
}

#[on_every_database]
async fn missing_state_holds_the_run_and_names_the_line_to_add(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<forgetful>()).await;
    let run = house.onward.start::<forgetful>(()).id("forgetful").await.unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!(error.code(), "missing_state");
    assert!(error.message().contains("add one where Onward is opened"), "{error}");
    assert_eq!(run.status().await.unwrap(), Status::Paused);
    house.lose_executor_for(|b| b.state(Missing)).await;
    let run = house.onward.handle::<forgetful>("forgetful");
    run.resume().await.unwrap();
    house.done(run.result()).await.unwrap();
}
