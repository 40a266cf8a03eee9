//! The context does not leave its run.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<()> {
    tokio::spawn(async move { ctx.sleep(secs(1)).await });
    Ok(())
}

fn main() {}
