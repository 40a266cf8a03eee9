//! A workflow takes the context first.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_cents: u64, _ctx: &Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
