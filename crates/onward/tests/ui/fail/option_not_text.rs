//! A name is a text.

use onward::prelude::*;

#[onward::step(name = 5)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
