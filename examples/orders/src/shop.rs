//! What the shop does: the workflows, and the steps that they are made of.

use std::fmt;

use onward::prelude::*;
use onward::{Builder, Tick};
use serde::{Deserialize, Serialize};

use crate::world::World;

/// From this amount on, a person looks at an order first.
pub const LARGE: u64 = 100_000;
/// How long that person may take.
pub const PATIENCE: std::time::Duration = days(2);

/// What a customer orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub customer: String,
    pub item: String,
    pub parcels: u32,
    pub cents: u64,
}

/// What became of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub reservation: String,
    pub payment: String,
    pub labels: Vec<String>,
}

/// Why the bank takes no money.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum ChargeError {
    Declined { cents: u64 },
    Away,
}

impl ChargeError {
    fn is_transient(&self) -> bool {
        matches!(self, ChargeError::Away)
    }
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChargeError::Declined { cents } => write!(f, "the bank declined {cents} cents"),
            ChargeError::Away => f.write_str("the bank does not answer"),
        }
    }
}

impl std::error::Error for ChargeError {}

/// The stock is flaky: it answers the second time.
#[onward::step(attempts = 5, backoff = "200ms..30s")]
async fn reserve(ctx: &Ctx, item: &str) -> Result<String> {
    if ctx.attempt() == 1 {
        return Err("the stock does not answer".into());
    }
    ctx.state::<World>().act("reserve", &ctx.idempotency_key())?;
    Ok(format!("1 {item}"))
}

#[onward::step(attempts = 5, backoff = "200ms..30s", retry_if = "ChargeError::is_transient")]
async fn charge(ctx: &Ctx, order: &Order) -> Result<String, ChargeError> {
    if order.customer == "mallory" {
        return Err(ChargeError::Declined { cents: order.cents });
    }
    ctx.state::<World>().act("charge", &ctx.idempotency_key()).map_err(|_| ChargeError::Away)?;
    Ok(format!("{} paid {}", order.customer, order.cents))
}

#[onward::step(attempts = 3)]
async fn print_label(ctx: &Ctx, parcel: u32) -> Result<String> {
    ctx.state::<World>().act("label", &ctx.idempotency_key())?;
    Ok(format!("parcel {parcel}"))
}

/// A compensation has to succeed eventually: it is tried for days.
#[onward::step(attempts = 1000, backoff = "1s..10m")]
async fn undo(ctx: &Ctx, what: &str) -> Result<()> {
    Ok(ctx.state::<World>().act(what, &ctx.idempotency_key())?)
}

/// An order, from the reservation to the parcels at the door. What was done is undone if a later part fails.
#[onward::workflow]
pub async fn order(ctx: &Ctx, order: Order) -> Result<Receipt, Error> {
    let mut undos = Vec::new();
    let sold = sell(ctx, &order, &mut undos).await;
    if sold.is_err() {
        for what in undos.iter().rev() {
            undo(ctx, what).await?;
        }
    }
    sold
}

async fn sell(ctx: &Ctx, order: &Order, undos: &mut Vec<&'static str>) -> Result<Receipt, Error> {
    let progress = ctx.stream("progress");
    let reservation = reserve(ctx, &order.item).await?;
    undos.push("release");
    progress.append("reserved").await?;
    if order.cents >= LARGE {
        progress.append("waits for approval").await?;
        approve(ctx, order).await?;
    }
    let payment = charge(ctx, order).await?;
    undos.push("refund");
    progress.append("paid").await?;
    let labels = ctx.all((1..=order.parcels).map(|parcel| print_label(ctx, parcel))).limit(5).await?;
    progress.append(format!("{} labels", labels.len())).await?;
    ctx.run::<deliver>(order.parcels).queue("carrier").partition(&order.customer).await?;
    progress.append("delivered").await?;
    Ok(Receipt { reservation, payment, labels })
}

/// A person decides, in time.
async fn approve(ctx: &Ctx, order: &Order) -> Result<(), Error> {
    let title = format!("Approve an order of {} cents by {}", order.cents, order.customer);
    match ctx.recv::<bool>("approval").from_person(title.as_str()).timeout(PATIENCE).await? {
        Some(true) => Ok(()),
        Some(false) => Err(Error::from_box("the order was refused".into())),
        None => Err(Error::from_box("nobody approved the order in time".into())),
    }
}

/// The carrier takes a day. A run that sleeps is a row, not memory.
#[onward::workflow]
pub async fn deliver(ctx: &Ctx, parcels: u32) -> Result<(), Error> {
    ctx.sleep(days(1)).await?;
    ctx.step("hand over", async || {
        ctx.note("parcels", parcels)?;
        Ok(ctx.state::<World>().act("hand over", &ctx.idempotency_key())?)
    })
    .await
}

/// A letter to a customer, once for all orders within a minute: see the debounce in `web.rs`.
#[onward::workflow]
pub async fn thank(ctx: &Ctx, customer: String) -> Result<(), Error> {
    ctx.step("letter", async || Ok(ctx.state::<World>().act("letter", &customer)?)).await
}

/// Each morning: how many runs there are in each state.
#[onward::workflow]
pub async fn report(ctx: &Ctx, tick: Tick) -> Result<u64, Error> {
    let orders = ctx.step("count", async || {
        let counts = ctx.client()?.counts().await?;
        Ok(counts.iter().filter(|count| count.workflow == "order").map(|count| count.runs).sum::<u64>())
    });
    let orders = orders.await?;
    ctx.set_event("orders", (tick.due, orders)).await?;
    Ok(orders)
}

/// Everything that an executor of the shop needs.
pub fn executor(url: &str, world: World) -> Builder {
    Onward::open(url).workflows::<(order, deliver, thank, report)>().state(world)
}

/// What the shop declares once it runs: the limits of its queue, and the time of its report.
///
/// # Errors
/// If the database cannot be reached.
pub async fn declare(onward: &Onward) -> Result<(), Error> {
    onward.queue("carrier").concurrency(20).partition_concurrency(3).await?;
    onward.schedule::<report>("0 0 8 * * *").zone("Europe/Zurich").id("report").await?;
    Ok(())
}
