//! Steps: recorded once, retried as they say, refused where they must not be.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::step]
async fn charge(ctx: &Ctx, amount: u64) -> Result<String> {
    ctx.state::<Log>().ran("charge");
    Ok(format!("receipt for {amount}"))
}

#[onward::workflow]
async fn shop(ctx: &Ctx, amount: u64) -> Result<String> {
    let receipt = charge(ctx, amount).await?;
    ctx.sleep(hours(1)).await?;
    let label = ctx.step("label", async || {
        ctx.state::<Log>().ran("label");
        Ok(format!("label on {receipt}"))
    });
    Ok(label.await?)
}

#[on_every_database]
async fn a_recorded_step_is_not_run_again_after_its_executor_was_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<shop>()).await;
    let run = house.onward.start::<shop>(7).id("order").await.unwrap();
    house.until("the run sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    let run = house.onward.handle::<shop>("order");
    assert_eq!(house.done(run.result()).await.unwrap(), "label on receipt for 7");
    assert_eq!((house.log.count("charge"), house.log.count("label")), (1, 1));
}

#[onward::step(attempts = 5, backoff = "1s..1m")]
async fn flaky(ctx: &Ctx, fails: usize) -> Result<u32> {
    if ctx.state::<Log>().ran("flaky") <= fails {
        Err(format!("no luck at attempt {}", ctx.attempt()))?;
    }
    Ok(ctx.attempt())
}

#[onward::workflow]
async fn lucky(ctx: &Ctx, fails: usize) -> Result<u32> {
    Ok(flaky(ctx, fails).await?)
}

#[on_every_database]
async fn a_step_is_tried_as_often_as_it_says(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<lucky>()).await;
    let run = house.onward.start::<lucky>(3).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 4);
    let step = &run.steps().await.unwrap()[0];
    let failed = step.attempts.iter().filter(|attempt| attempt.error.is_some()).count();
    assert_eq!(failed, 3, "each failed attempt is shown: {step:?}");
    let first = step.attempts.iter().map(|attempt| attempt.started_at).min();
    assert_eq!(step.started_at, first, "it began with its first attempt");
    assert!(step.attempts.iter().filter(|attempt| Some(attempt.started_at) == first).count() == 1, "{step:?}");
}

#[on_every_database]
async fn a_step_that_fails_every_time_fails_with_its_last_error(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<lucky>()).await;
    let run = house.onward.start::<lucky>(100).await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert_eq!(error.message(), "no luck at attempt 5");
    assert_eq!(house.log.count("flaky"), 5);
    assert_eq!(run.status().await.unwrap(), Status::Failed);
}

#[on_every_database]
async fn the_budget_of_attempts_goes_on_after_the_executor_was_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<lucky>()).await;
    let run = house.onward.start::<lucky>(100).id("unlucky").await.unwrap();
    let failed = async |count: usize| {
        let steps = run.steps().await.unwrap();
        steps.first().is_some_and(|step| step.attempts.iter().filter(|it| it.error.is_some()).count() == count)
    };
    house.becomes("the first attempt failed", async || failed(1).await).await;
    // Longer than the first pause. The second one cannot end, for the clock stands still again.
    house.clock.advance(secs(1));
    house.becomes("the second one failed", async || failed(2).await).await;
    house.lose_executor().await;
    let error = house.done(house.onward.handle::<lucky>("unlucky").result()).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("failed", "no luck at attempt 5"));
    assert_eq!(house.log.count("flaky"), 5);
}

#[onward::workflow]
async fn fatal(ctx: &Ctx) -> Result<()> {
    let step = ctx.step("doomed", async || {
        ctx.state::<Log>().ran("doomed");
        Err::<(), _>(Error::fatal("no use").into())
    });
    Ok(step.attempts(10).await?)
}

#[on_every_database]
async fn a_fatal_error_is_never_tried_again(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<fatal>()).await;
    let run = house.onward.start::<fatal>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap_err().message(), "no use");
    assert_eq!(house.log.count("doomed"), 1);
}

#[onward::workflow]
async fn picky(ctx: &Ctx) -> Result<()> {
    let step = ctx.step("picky", async || {
        let again = ctx.state::<Log>().ran("picky") < 3;
        Err::<(), _>(if again { "try again" } else { "give up" }.into())
    });
    Ok(step.attempts(10).retry_if(|error| error.message() == "try again").await?)
}

#[on_every_database]
async fn only_errors_that_are_worth_it_are_tried_again(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<picky>()).await;
    let run = house.onward.start::<picky>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap_err().message(), "give up");
    assert_eq!(house.log.count("picky"), 3);
}

#[onward::workflow]
async fn slow(ctx: &Ctx) -> Result<()> {
    let never = ctx.step("never", async || std::future::pending::<Result<()>>().await);
    Ok(never.timeout(mins(2)).await?)
}

#[on_every_database]
async fn an_attempt_that_takes_too_long_is_dropped_and_fails(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<slow>()).await;
    let run = house.onward.start::<slow>(()).await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.is_timed_out() && error.message().contains("`never`"), "{error}");
}

#[onward::workflow]
async fn nested(ctx: &Ctx) -> Result<u32> {
    let outer = ctx.step("outer", async || Ok(ctx.step("inner", async || Ok(1)).await?));
    Ok(outer.await?)
}

#[on_every_database]
async fn a_durable_call_inside_a_step_is_refused_with_both_names(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nested>()).await;
    let error = house.onward.start::<nested>(()).await.unwrap().result().await.unwrap_err();
    assert_eq!(error.code(), "nested");
    assert!(error.message().contains("`outer`") && error.message().contains("`inner`"), "{error}");
}

#[onward::workflow]
async fn keys(ctx: &Ctx) -> Result<(String, String, u64)> {
    let one = ctx.step("one", async || Ok(ctx.idempotency_key())).await?;
    let two = ctx.step("two", async || Ok(ctx.idempotency_key())).await?;
    Ok((one, two, ctx.fence()))
}

#[onward::workflow]
async fn keyed(ctx: &Ctx) -> Result<()> {
    let keyed = ctx.step("keyed", async || {
        ctx.state::<Keys>().0.lock().unwrap().push(ctx.idempotency_key());
        match ctx.state::<Log>().ran("keyed") {
            1 => Err("no luck".into()),
            // The executor is lost here.
            2 => std::future::pending().await,
            _ => Ok(()),
        }
    });
    Ok(keyed.attempts(5).backoff(millis(1)..millis(1)).await?)
}

#[derive(Clone, Default)]
struct Keys(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

#[on_every_database]
async fn every_attempt_of_a_step_has_the_same_idempotency_key(db: TestDatabase) {
    let keys = Keys::default();
    let seen = keys.clone();
    let mut house = House::open(db, move |b| b.workflow::<keyed>().state(seen.clone())).await;
    house.onward.start::<keyed>(()).id("r").await.unwrap();
    house.until("the second attempt is under way", async || house.log.count("keyed") == 2).await;
    house.lose_executor().await;
    house.done(house.onward.handle::<keyed>("r").result()).await.unwrap();
    let keys = keys.0.lock().unwrap().clone();
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[on_every_database]
async fn each_step_has_an_idempotency_key_of_its_own(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<keys>()).await;
    let (one, two, fence) = house.onward.start::<keys>(()).await.unwrap().result().await.unwrap();
    assert!(one != two && fence == 1, "{one} {two} {fence}");
}

#[onward::workflow]
async fn large(ctx: &Ctx, bytes: usize) -> Result<usize> {
    let text: String = ctx.step("large", async || Ok("x".repeat(bytes))).await?;
    Ok(text.len())
}

#[on_every_database]
async fn a_value_that_no_database_takes_fails_its_step_alone(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<large>()).await;
    let fits = house.onward.start::<large>(5_000_000).await.unwrap();
    let too_large = house.onward.start::<large>(17_000_000).await.unwrap();
    assert_eq!(fits.result().await.unwrap(), 5_000_000);
    assert_eq!(too_large.result().await.unwrap_err().code(), "invalid");
}

#[onward::workflow]
async fn takes_minutes(ctx: &Ctx) -> Result<u32> {
    let minutes = ctx.step("minutes", async || {
        ctx.state::<Log>().ran("minutes");
        while ctx.state::<Log>().count("over") == 0 {
            onward_testkit::between_looks().await;
        }
        Ok(ctx.attempt())
    });
    Ok(minutes.await?)
}

#[on_every_database]
async fn a_step_that_takes_long_keeps_its_run_and_has_no_second_copy(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<takes_minutes>()).await;
    let run = house.onward.start::<takes_minutes>(()).await.unwrap();
    let over = house.clock.now() + mins(10);
    house.until("ten minutes are over", async || house.clock.now() > over).await;
    assert!(run.describe().await.unwrap().executor.is_some());
    house.log.ran("over");
    assert_eq!((house.done(run.result()).await.unwrap(), house.log.count("minutes")), (1, 1));
    assert_eq!(run.describe().await.unwrap().owners, 1);
}
