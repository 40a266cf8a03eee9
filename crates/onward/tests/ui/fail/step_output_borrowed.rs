//! The result of a step function owns its data.

use onward::prelude::*;

#[onward::step]
async fn charge(text: &str) -> Result<&str> {
    Ok(text)
}

fn main() {}
