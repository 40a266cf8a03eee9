//! A durable call that is not awaited does nothing.
#![deny(unused_must_use)]

use onward::prelude::*;

#[onward::step]
async fn charge() -> Result<()> {
    Ok(())
}

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<()> {
    ctx.sleep(secs(1));
    charge(ctx);
    Ok(())
}

fn main() {}
