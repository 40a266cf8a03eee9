//! The function is given in quotes, like every other option.

use onward::prelude::*;

#[onward::step(attempts = 5, retry_if = Error::is_timed_out)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
