//! A workflow's output is recorded, so it owns its data.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_ctx: &Ctx) -> Result<&str> {
    Ok("five")
}

fn main() {}
