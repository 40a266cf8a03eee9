//! A workflow is started with its own input.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_: &Ctx, cents: u64) -> Result<u64> {
    Ok(cents)
}

async fn start(onward: &Onward) -> Result<()> {
    onward.start::<checkout>("five").await?;
    Ok(())
}

fn main() {}
