//! The path is looked up where the step is.

use onward::prelude::*;

#[onward::step(attempts = 5, retry_if = "is_transient")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
