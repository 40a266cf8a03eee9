//! A duration is a whole number and a unit.

use onward::prelude::*;

#[onward::step(timeout = ".5x")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
