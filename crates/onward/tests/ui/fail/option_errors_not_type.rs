//! The option names a type.

use onward::prelude::*;

#[onward::step(errors = "5 cents")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
