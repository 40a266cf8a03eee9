//! A workflow borrows the context.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_ctx: Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
