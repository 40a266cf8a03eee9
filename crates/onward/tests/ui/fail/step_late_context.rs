//! A step that takes the context takes it first.

use onward::prelude::*;

#[onward::step]
async fn charge(_cents: u64, _ctx: &Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
