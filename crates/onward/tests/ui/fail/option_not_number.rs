//! Attempts are a number.

use onward::prelude::*;

#[onward::step(attempts = "5")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
