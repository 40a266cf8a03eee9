//! An option is given once.

use onward::prelude::*;

#[onward::step(attempts = 5, attempts = 6)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
