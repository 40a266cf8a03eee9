//! An option has a value.

use onward::prelude::*;

#[onward::step(attempts)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
