//! A backoff has two ends.

use onward::prelude::*;

#[onward::step(backoff = "1s")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
