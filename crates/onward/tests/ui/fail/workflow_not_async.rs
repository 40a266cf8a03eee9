//! A workflow is async.

use onward::prelude::*;

#[onward::workflow]
fn checkout(_ctx: &Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
