//! A backoff is a text with two durations.

use onward::prelude::*;

#[onward::step(backoff = 1)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
