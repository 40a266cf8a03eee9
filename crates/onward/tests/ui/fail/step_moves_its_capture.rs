//! A body may run again, so it cannot give away what it captured.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx, order: String) -> Result<String> {
    Ok(ctx.step("give", || async { Ok(order) }).await?)
}

fn main() {}
