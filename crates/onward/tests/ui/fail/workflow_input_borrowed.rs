//! A workflow's input is recorded, so it owns its data.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_ctx: &Ctx, _who: &str) -> Result<()> {
    Ok(())
}

fn main() {}
