//! A step may be attempted again, so it changes nothing it is lent.

use onward::prelude::*;

#[onward::step]
async fn charge(cents: &mut u64) -> Result<()> {
    *cents = 5;
    Ok(())
}

fn main() {}
