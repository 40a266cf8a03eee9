//! A workflow's output is recorded, so it has the derives.

use onward::prelude::*;

struct Raw;

#[onward::workflow]
async fn checkout(_: &Ctx) -> Result<Raw> {
    Ok(Raw)
}

fn main() {}
