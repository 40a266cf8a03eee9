//! Only durable calls race, for only their outcome is recorded.

use std::time::Duration;

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<()> {
    ctx.select((ctx.sleep(secs(1)), tokio::time::sleep(Duration::from_secs(1)))).await?;
    Ok(())
}

fn main() {}
