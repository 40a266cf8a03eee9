//! A step is async.

use onward::prelude::*;

#[onward::step]
fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
