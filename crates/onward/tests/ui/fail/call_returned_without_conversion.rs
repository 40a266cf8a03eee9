//! A call has its own error type: `Ok(..?)` converts it, or the workflow returns that type.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<()> {
    ctx.sleep(secs(1)).await
}

fn main() {}
