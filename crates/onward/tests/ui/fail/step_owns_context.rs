//! A step borrows the context.

use onward::prelude::*;

#[onward::step]
async fn charge(_ctx: Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
