//! What the attributes write, written by a person: the long forms that their pages show.
#![deny(warnings)]

use std::{fmt, pin::Pin, time::Duration};

use onward::{OnPanic, prelude::*};
use onward::calls::{ErrorType, Step};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    cents: u64,
}

#[derive(Serialize, Deserialize)]
pub struct Receipt(u64);

#[derive(Debug, Serialize, Deserialize)]
pub struct ChargeError(String);

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ChargeError {}

impl ChargeError {
    pub fn is_transient(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub enum CheckoutError {
    Closed,
    Other(Error),
}

impl fmt::Display for CheckoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckoutError::Closed => f.write_str("the shop is closed"),
            CheckoutError::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CheckoutError {}

impl From<Error> for CheckoutError {
    fn from(error: Error) -> CheckoutError {
        CheckoutError::Other(error)
    }
}

mod gateway {
    use super::{ChargeError, Order, Receipt};

    pub async fn charge(order: &Order) -> Result<Receipt, ChargeError> {
        Ok(Receipt(order.cents))
    }
}

pub fn charge<'step>(ctx: &'step Ctx, order: &'step Order) -> Step<'step, Receipt> {
    ctx.step("charge", async || Ok(gateway::charge(order).await?))
        .attempts(5)
        .backoff(Duration::from_secs(1)..Duration::from_secs(60))
        .errors::<ChargeError>()
        .retry_if(|error| error.downcast_ref().is_none_or(ChargeError::is_transient))
}

pub async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt, CheckoutError> {
    if order.cents == 0 {
        return Err(CheckoutError::Closed);
    }
    Ok(charge(ctx, &order).await?)
}

#[allow(non_camel_case_types)]
pub enum checkout {}

impl onward::Workflow for checkout {
    const NAME: &'static str = "checkout";
    const VERSION: &'static str = "1";
    const ON_PANIC: OnPanic = OnPanic::Hold;
    const ERRORS: ErrorType = ErrorType::of::<CheckoutError>();
    type Input = Order;
    type Output = Receipt;
    fn run(ctx: Ctx, order: Order) -> Pin<Box<dyn Future<Output = Result<Receipt>> + Send>> {
        Box::pin(async move { Ok(checkout(&ctx, order).await?) })
    }
}

pub async fn start(onward: &Onward) -> Result<Receipt> {
    Ok(onward.start::<checkout>(Order { cents: 5 }).await?.result().await?)
}

fn main() {}
