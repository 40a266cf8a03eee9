//! A name is not empty.

use onward::prelude::*;

#[onward::step(name = "")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
