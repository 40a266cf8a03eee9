//! A backoff grows.

use onward::prelude::*;

#[onward::step(backoff = "60s..1s")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
