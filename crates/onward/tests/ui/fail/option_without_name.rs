//! An option has a name.

use onward::prelude::*;

#[onward::step("charge")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
