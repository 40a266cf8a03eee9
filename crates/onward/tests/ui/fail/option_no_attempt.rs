//! There is at least one attempt.

use onward::prelude::*;

#[onward::step(attempts = 0)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
