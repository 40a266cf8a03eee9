//! A step is called with the context.

use onward::prelude::*;

#[onward::step]
async fn charge(cents: &u64) -> Result<u64> {
    Ok(*cents)
}

#[onward::workflow]
async fn checkout(_: &Ctx, cents: u64) -> Result<u64> {
    Ok(charge(&cents).await?)
}

fn main() {}
