//! A run that panics is held or fails.

use onward::prelude::*;

#[onward::workflow(on_panic = "ignore")]
async fn checkout(_ctx: &Ctx) -> Result<()> {
    Ok(())
}

fn main() {}
