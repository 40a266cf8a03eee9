//! A step that spells its error gets it back typed. A boxed one, or none, takes any.
#![deny(warnings)]

use std::fmt;

use onward::{BoxError, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub enum ChargeError {
    Declined(String),
    Away,
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for ChargeError {}

#[onward::step(attempts = 5)]
async fn charge(cents: u64) -> Result<u64, ChargeError> {
    if cents > 100 { Err(ChargeError::Declined("too much".into())) } else { Ok(cents) }
}

#[onward::step]
async fn standard(cents: u64) -> std::result::Result<u64, ChargeError> {
    charge_now(cents)
}

#[onward::step]
async fn boxed(text: &str) -> Result<u64, BoxError> {
    Ok(text.parse()?)
}

#[onward::step]
async fn spelled(text: &str) -> std::result::Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    Ok(text.parse()?)
}

#[onward::step]
async fn io(text: &str) -> std::io::Result<String> {
    Ok(text.to_owned())
}

fn charge_now(cents: u64) -> Result<u64, ChargeError> {
    if cents > 100 { Err(ChargeError::Away) } else { Ok(cents) }
}

#[onward::workflow]
pub async fn checkout(ctx: &Ctx, cents: u64) -> Result<Option<u64>> {
    standard(ctx, cents).await?;
    boxed(ctx, "5").await?;
    spelled(ctx, "5").await?;
    io(ctx, "5").await?;
    ctx.step("the long form", async || Ok(charge_now(cents)?)).errors::<ChargeError>().await?;
    match charge(ctx, cents).await {
        Ok(cents) => Ok(Some(cents)),
        Err(error) => match error.downcast::<ChargeError>()? {
            ChargeError::Declined(_) => Ok(None),
            away @ ChargeError::Away => Err(away.into()),
        },
    }
}

fn main() {}
