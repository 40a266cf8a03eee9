//! A step has four options.

use onward::prelude::*;

#[onward::step(retries = 5)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
