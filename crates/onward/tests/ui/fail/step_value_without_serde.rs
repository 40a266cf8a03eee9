//! A step's result is recorded, so it has the derives.

use onward::prelude::*;

struct Raw;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<()> {
    let _raw: Raw = ctx.step("raw", async || Ok(Raw)).await?;
    Ok(())
}

fn main() {}
