//! The result of a step function is recorded too.

use onward::prelude::*;

struct Raw;

#[onward::step]
async fn raw() -> Result<Raw> {
    Ok(Raw)
}

fn main() {}
