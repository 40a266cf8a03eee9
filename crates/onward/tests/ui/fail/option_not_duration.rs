//! A timeout is a text with a unit.

use onward::prelude::*;

#[onward::step(timeout = 120)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
