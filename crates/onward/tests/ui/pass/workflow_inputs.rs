//! A workflow takes nothing, one input, several, or a pattern.
#![deny(warnings)]

use onward::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Order {
    id: String,
    cents: u64,
}

#[onward::workflow]
pub async fn nothing(_: &Ctx) -> Result<()> {
    Err("nothing to do")?
}

#[onward::workflow]
pub async fn one(_ctx: &Ctx, order: Order) -> Result<u64> {
    Ok(order.cents)
}

#[onward::workflow]
pub async fn several(ctx: &Ctx, order: Order, mut boxes: u32, note: Option<String>) -> Result<u32> {
    boxes += one(ctx, order).await? as u32;
    Ok(boxes + note.map_or(0, |note| note.len() as u32))
}

#[onward::workflow]
pub async fn pattern(_: &Ctx, Order { id, .. }: Order, (from, to): (u32, u32)) -> Result<String> {
    Ok(format!("{id} {from} {to}"))
}

pub async fn start(onward: &Onward) -> Result<()> {
    let order = || Order { id: "a".into(), cents: 5 };
    onward.start::<nothing>(()).await?;
    let _cents: u64 = onward.start::<one>(order()).await?.result().await?;
    onward.start::<several>((order(), 3, None)).await?;
    onward.start::<pattern>((order(), (1, 2))).await?;
    Ok(())
}

fn main() {}
