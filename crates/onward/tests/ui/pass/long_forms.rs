//! What the attributes write, written by a person: the long forms that their pages show.
#![deny(warnings)]

use std::{fmt, pin::Pin, time::Duration};

use onward::{OnPanic, prelude::*};
use onward::calls::Step;
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
}

pub async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}

#[allow(non_camel_case_types)]
pub enum checkout {}

impl onward::Workflow for checkout {
    const NAME: &'static str = "checkout";
    const VERSION: &'static str = "1";
    const ON_PANIC: OnPanic = OnPanic::Hold;
    type Input = Order;
    type Output = Receipt;
    fn run(ctx: Ctx, order: Order) -> Pin<Box<dyn Future<Output = Result<Receipt>> + Send>> {
        Box::pin(async move { checkout(&ctx, order).await })
    }
}

pub async fn start(onward: &Onward) -> Result<Receipt> {
    Ok(onward.start::<checkout>(Order { cents: 5 }).await?.result().await?)
}

fn main() {}
