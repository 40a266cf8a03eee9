//! A step borrows what it takes, or owns it and clones it for each attempt.
#![deny(warnings)]

use std::borrow::Cow;

use onward::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    id: String,
    lines: Vec<String>,
}

#[onward::step]
async fn nothing() -> Result<()> {
    Ok(())
}

#[onward::step]
async fn reference(order: &Order) -> Result<String> {
    Ok(order.id.clone())
}

#[onward::step]
async fn text(text: &str, note: Option<&str>) -> Result<usize> {
    Ok(text.len() + note.map_or(0, str::len))
}

#[onward::step]
async fn slice(lines: &[String], order: Option<&Order>) -> Result<usize> {
    Ok(lines.len() + order.map_or(0, |order| order.lines.len()))
}

#[onward::step]
async fn cow(text: Cow<'_, str>) -> Result<usize> {
    Ok(text.len())
}

#[onward::step]
async fn owned(order: Order, mut count: u32) -> Result<u32> {
    count += order.lines.len() as u32;
    Ok(count)
}

#[onward::step]
async fn pattern((from, to): (u32, u32), Order { id, .. }: Order, _: u32) -> Result<String> {
    Ok(format!("{id} {from} {to}"))
}

#[onward::step]
async fn named<'a>(first: &'a str, second: &'a str) -> Result<usize> {
    Ok(first.len() + second.len())
}

#[onward::step]
async fn function(check: fn(&str) -> bool, text: &str) -> Result<bool> {
    Ok(check(text))
}

#[onward::workflow]
pub async fn every(ctx: &Ctx, order: Order) -> Result<()> {
    nothing(ctx).await?;
    reference(ctx, &order).await?;
    text(ctx, "a", Some("b")).await?;
    slice(ctx, &order.lines, Some(&order)).await?;
    cow(ctx, "a".into()).await?;
    owned(ctx, order.clone(), 1).await?;
    pattern(ctx, (1, 2), order.clone(), 3).await?;
    named(ctx, "a", &order.id).await?;
    function(ctx, |text| text.is_empty(), "a").await?;
    Ok(())
}

fn main() {}
