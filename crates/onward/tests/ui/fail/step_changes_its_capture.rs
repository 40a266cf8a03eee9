//! A body that changes what it captured would not on a replay.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<u32> {
    let mut count = 0;
    ctx.step("count", async || {
        count += 1;
        Ok(())
    })
    .await?;
    Ok(count)
}

fn main() {}
