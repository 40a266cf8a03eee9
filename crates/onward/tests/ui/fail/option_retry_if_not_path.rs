//! The option names a function; a closure is given where the step is called.

use onward::prelude::*;

#[onward::step(attempts = 5, retry_if = "|error| error.is_timed_out()")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
