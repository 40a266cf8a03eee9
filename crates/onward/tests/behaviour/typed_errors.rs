//! Errors of workflows that come back typed, fatal errors that keep their type, and retries that depend on the type.

use std::fmt;

use onward::calls::ErrorType;
use onward::prelude::*;
use onward::{BoxFuture, WorkflowFn};
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::house::{House, Log};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum ChargeError {
    Declined { cents: u64 },
    Away,
}

impl ChargeError {
    fn is_transient(&self) -> bool {
        *self == ChargeError::Away
    }
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChargeError::Declined { cents } => write!(f, "{cents} cents were declined"),
            ChargeError::Away => f.write_str("the bank is away"),
        }
    }
}

impl std::error::Error for ChargeError {}

/// The error of a workflow that makes calls: their errors are a variant.
#[derive(Debug, Serialize, Deserialize)]
enum CheckoutError {
    SoldOut { item: String },
    Call(Error),
}

impl fmt::Display for CheckoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckoutError::SoldOut { item } => write!(f, "{item} is sold out"),
            CheckoutError::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CheckoutError {}

impl From<Error> for CheckoutError {
    fn from(error: Error) -> CheckoutError {
        CheckoutError::Call(error)
    }
}

#[onward::step]
async fn charge(cents: u64) -> Result<u64, ChargeError> {
    if cents > 100 { Err(ChargeError::Declined { cents }) } else { Ok(cents) }
}

#[onward::workflow]
async fn checkout(ctx: &Ctx, cents: u64) -> Result<u64, CheckoutError> {
    if cents == 0 {
        return Err(CheckoutError::SoldOut { item: "lamp".into() });
    }
    Ok(charge(ctx, cents).await?)
}

#[onward::workflow(errors = "CheckoutError")]
async fn checks_out(_: &Ctx, item: String) -> Result<u64> {
    match item.strip_prefix("no ") {
        Some(item) => Err(CheckoutError::SoldOut { item: item.to_owned() }.into()),
        None => Ok(item.parse()?),
    }
}

/// What became of a checkout, in words.
fn outcome(result: Result<u64, Error>) -> String {
    match result.map_err(Error::downcast::<CheckoutError>) {
        Ok(cents) => format!("paid {cents}"),
        Err(Ok(CheckoutError::SoldOut { item })) => format!("no {item}"),
        Err(Ok(CheckoutError::Call(error))) => match error.downcast_ref::<ChargeError>() {
            Some(ChargeError::Declined { cents }) => format!("declined {cents}"),
            other => format!("call: {other:?}"),
        },
        Err(Err(other)) => format!("other: {other}"),
    }
}

#[onward::workflow]
async fn shop(ctx: &Ctx, cents: u64) -> Result<String, Error> {
    let waited = outcome(ctx.run::<checkout>(cents).await);
    let child = ctx.start::<checkout>(cents).await?;
    let later = outcome(child.result(ctx).await);
    ctx.sleep(hours(1)).await?;
    ctx.step("sum", async || Ok(format!("{waited}, {later}"))).await
}

#[on_every_database]
async fn a_typed_error_of_a_workflow_comes_back_typed_from_its_handle(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(checkout, checks_out)>()).await;
    for (cents, expected) in [(5, "paid 5"), (0, "no lamp"), (500, "declined 500")] {
        let run = house.onward.start::<checkout>(cents).await.unwrap();
        assert_eq!(outcome(run.result().await), expected);
    }
    for (item, expected) in [("7", "paid 7"), ("no lamp", "no lamp"), ("x", "other: invalid digit found in string")] {
        let run = house.onward.start::<checks_out>(item.to_owned()).await.unwrap();
        assert_eq!(outcome(run.result().await), expected);
    }
}

#[on_every_database]
async fn a_typed_error_of_a_child_comes_back_typed_live_and_on_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(shop, checkout)>()).await;
    let runs = [(5, "paid 5, paid 5"), (0, "no lamp, no lamp"), (500, "declined 500, declined 500")];
    for (cents, _) in runs {
        let run = house.onward.start::<shop>(cents).id(format!("shop-{cents}")).await.unwrap();
        let sleeps = async || run.steps().await.unwrap().iter().any(|step| step.name == "sleep");
        house.until("it sleeps", sleeps).await;
    }
    house.lose_executor().await;
    for (cents, expected) in runs {
        let run = house.onward.handle::<shop>(format!("shop-{cents}"));
        assert_eq!(house.done(run.result()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_typed_error_of_a_child_comes_back_typed_in_a_detached_context() {
    let ctx = Ctx::detached();
    assert_eq!(outcome(ctx.run::<checkout>(0).await), "no lamp");
    assert_eq!(outcome(ctx.run::<checkout>(500).await), "declined 500");
}

/// Without the macro.
enum ByHand {}

impl Workflow for ByHand {
    const NAME: &'static str = "by hand";
    const VERSION: &'static str = "1";
    const ERRORS: ErrorType = ErrorType::of::<ChargeError>();
    type Input = u64;
    type Output = u64;

    fn run(_: Ctx, cents: u64) -> BoxFuture<'static, Result<u64>> {
        Box::pin(async move { Err(ChargeError::Declined { cents }.into()) })
    }
}

fn function() -> WorkflowFn {
    WorkflowFn::new("function", "1", |_, cents: u64| async move {
        if cents == 0 { Ok(cents) } else { Err(ChargeError::Declined { cents }.into()) }
    })
}

#[on_every_database]
async fn a_workflow_without_the_macro_declares_the_type_of_its_errors(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<ByHand>().register(function().errors::<ChargeError>())).await;
    let by_hand = house.onward.start::<ByHand>(7).await.unwrap().result().await.unwrap_err();
    assert_eq!(by_hand.downcast::<ChargeError>().unwrap(), ChargeError::Declined { cents: 7 });
    let function = house.onward.start_named("function", 8).await.unwrap().result().await.unwrap_err();
    assert_eq!(function.downcast::<ChargeError>().unwrap(), ChargeError::Declined { cents: 8 });
}

/// A level that JSON cannot represent.
#[derive(Debug, Serialize, Deserialize)]
struct TooLow(f64);

impl fmt::Display for TooLow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the level is too low")
    }
}

impl std::error::Error for TooLow {}

#[onward::workflow(name = "measures")]
async fn measures_wrongly(ctx: &Ctx) -> Result<(), TooLow> {
    ctx.state::<Log>().ran("measures");
    Err(TooLow(f64::NAN))
}

#[onward::workflow(name = "measures")]
async fn measures(_: &Ctx) -> Result<(), TooLow> {
    Err(TooLow(0.5))
}

#[on_every_database]
async fn an_error_that_cannot_be_recorded_holds_the_run_until_the_code_is_mended(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<measures_wrongly>()).await;
    let run = house.onward.start::<measures_wrongly>(()).id("measures").await.unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!(error.code(), "encode");
    assert!(error.message().contains("TooLow") && error.message().contains("the level is too low"), "{error}");
    assert_eq!(run.status().await.unwrap(), Status::Paused);

    house.lose_executor_for(|b| b.workflow::<measures>()).await;
    let run = house.onward.handle::<measures>("measures");
    run.resume().await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert_eq!(error.downcast::<TooLow>().unwrap().0, 0.5);
}

#[derive(Debug, Serialize, Deserialize)]
struct SoldOut {
    item: String,
}

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is sold out", self.item)
    }
}

impl std::error::Error for SoldOut {}

#[onward::workflow]
async fn sells(_: &Ctx) -> Result<(), SoldOut> {
    Err(SoldOut { item: "lamp".into() })
}

/// Catches the error of its child without looking at it.
#[onward::workflow]
async fn catches(ctx: &Ctx, starts: bool) -> Result<(), Error> {
    let sold = if starts { ctx.start::<sells>(()).await?.result(ctx).await } else { ctx.run::<sells>(()).await };
    ctx.sleep(hours(1)).await?;
    let refunds = sold.is_err();
    ctx.step("refund", async || Ok(if refunds { ctx.state::<Log>().ran("refund") } else { 0 })).await?;
    Ok(())
}

#[on_every_database]
async fn a_parent_that_does_not_look_at_a_typed_error_is_held_if_it_cannot_read_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(catches, sells)>()).await;
    for starts in [false, true] {
        let run = house.onward.start::<catches>(starts).await.unwrap();
        let sleeps = async || run.steps().await.unwrap().iter().any(|step| step.name == "sleep");
        house.until("it sleeps", sleeps).await;
        let file = run.export().await.unwrap();
        // Time leaps below, and this one may refund.
        run.cancel().await.unwrap();
        // As it is when the field has another type now.
        let changed = file.replace(r#""value":{"item":"lamp"}"#, r#""value":{"item":7}"#);
        assert_ne!(changed, file);
        let run = house.onward.import_as(&changed, format!("changed-{starts}")).await.unwrap();
        run.resume().await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap_err().code(), "decode");
        let record = run.describe().await.unwrap();
        assert_eq!(record.status, Status::Paused);
        for part in ["the run recorded child", "typed_errors::SoldOut`", "resume the run"] {
            assert!(record.reason.contains(part), "{part}: {}", record.reason);
        }
    }
    assert_eq!(house.log.count("refund"), 0);
}

/// A type of the same name, whose data the child only passes on.
mod elsewhere {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct SoldOut(pub(super) u64);

    impl fmt::Display for SoldOut {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("sold out elsewhere")
        }
    }

    impl std::error::Error for SoldOut {}
}

#[onward::step]
async fn orders() -> Result<(), elsewhere::SoldOut> {
    Err(elsewhere::SoldOut(5))
}

#[onward::workflow(errors = "SoldOut")]
async fn resells(ctx: &Ctx) -> Result<()> {
    Ok(orders(ctx).await?)
}

#[onward::workflow]
async fn asks(ctx: &Ctx) -> Result<u64, Error> {
    let error = ctx.run::<resells>(()).await.unwrap_err();
    Ok(error.downcast::<elsewhere::SoldOut>()?.0)
}

#[on_every_database]
async fn an_error_of_a_type_with_the_same_name_is_passed_on(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(asks, resells)>()).await;
    let run = house.onward.start::<asks>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 5);
}

#[onward::step(attempts = 5, errors = "ChargeError")]
async fn charge_or_give_up(ctx: &Ctx, cents: u64) -> Result<u64> {
    ctx.state::<Log>().ran("charge");
    Err(Error::fatal(ChargeError::Declined { cents }))?
}

#[onward::workflow]
async fn gives_up(ctx: &Ctx, cents: u64) -> Result<(u64, u64), Error> {
    let ChargeError::Declined { cents: first } = charge_or_give_up(ctx, cents).await.unwrap_err().downcast()? else {
        return Err("it was another error".into());
    };
    let long_form = ctx.step("long form", async || {
        ctx.state::<Log>().ran("charge");
        Ok(Err::<(), _>(ChargeError::Declined { cents }).fatal()?)
    });
    let error = long_form.attempts(5).errors::<ChargeError>().await.unwrap_err();
    let ChargeError::Declined { cents: second } = error.downcast()? else {
        return Err("it was another error".into());
    };
    ctx.sleep(hours(1)).await?;
    Ok((first, second))
}

#[on_every_database]
async fn a_fatal_error_keeps_its_type_and_is_tried_once(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<gives_up>()).await;
    let run = house.onward.start::<gives_up>(9).id("gives up").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    house.lose_executor().await;
    let run = house.onward.handle::<gives_up>("gives up");
    assert_eq!(house.done(run.result()).await.unwrap(), (9, 9));
    assert_eq!(house.log.count("charge"), 2, "once each");
}

#[onward::step(attempts = 9, retry_if = "ChargeError::is_transient")]
async fn insist(ctx: &Ctx, cents: u64) -> Result<u64, ChargeError> {
    if ctx.state::<Log>().ran("insist") < 3 { Err(ChargeError::Away) } else { Err(ChargeError::Declined { cents }) }
}

#[onward::step(attempts = 3, timeout = "1s", retry_if = "ChargeError::is_transient")]
async fn too_slow(ctx: &Ctx) -> Result<u64, ChargeError> {
    ctx.state::<Log>().ran("too slow");
    std::future::pending().await
}

#[onward::step(attempts = 9, retry_if = "Error::is_timed_out")]
async fn any_error(ctx: &Ctx) -> Result<u64> {
    ctx.state::<Log>().ran("any error");
    Err("not in time, but it says something else".into())
}

#[onward::workflow]
async fn insists(ctx: &Ctx, which: String) -> Result<u64, Error> {
    match which.as_str() {
        "insist" => insist(ctx, 7).await,
        "too slow" => too_slow(ctx).await,
        _ => any_error(ctx).await,
    }
}

#[on_every_database]
async fn the_function_of_a_step_decides_after_which_errors_it_is_retried(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<insists>()).await;
    let error = async |which: &str| {
        let run = house.onward.start::<insists>(which.to_owned()).await.unwrap();
        house.done(run.result()).await.unwrap_err()
    };
    assert_eq!(error("insist").await.downcast::<ChargeError>().unwrap(), ChargeError::Declined { cents: 7 });
    assert_eq!(house.log.count("insist"), 3);
    assert!(error("too slow").await.is_timed_out());
    assert_eq!(house.log.count("too slow"), 3, "an error of another type is retried");
    assert_eq!(error("any error").await.code(), "failed");
    assert_eq!(house.log.count("any error"), 1);
}

/// Once it was decoded, its drop panics, as any code of a user may.
#[derive(Debug, Serialize, Deserialize)]
struct Bomb {
    #[serde(skip_serializing, default = "armed")]
    armed: bool,
}

fn armed() -> bool {
    true
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bomb")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed || std::thread::panicking(), "the drop of an error panicked");
    }
}

impl Bomb {
    fn is_transient(&self) -> bool {
        false
    }
}

#[onward::step(attempts = 2, retry_if = "Bomb::is_transient")]
async fn explode() -> Result<(), Bomb> {
    Err(Bomb { armed: false })
}

#[onward::workflow]
async fn explodes(ctx: &Ctx) -> Result<(), Error> {
    explode(ctx).await
}

#[on_every_database]
async fn an_error_whose_drop_panics_affects_only_its_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(explodes, checkout)>()).await;
    let run = house.onward.start::<explodes>(()).await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.message().contains("the retry condition of step `explode` panicked"), "{error:?}");
    assert_eq!(run.status().await.unwrap(), Status::Paused);
    let other = house.onward.start::<checkout>(5).await.unwrap();
    assert_eq!(other.result().await.unwrap(), 5);
}
