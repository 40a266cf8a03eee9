//! A workflow has three options.

use onward::prelude::*;

#[onward::workflow(queue = "slow")]
async fn checkout(_ctx: &Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
