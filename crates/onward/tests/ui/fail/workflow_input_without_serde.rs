//! A workflow's input is recorded, so it has the derives.

use onward::prelude::*;

struct Raw;

#[onward::workflow]
async fn checkout(_: &Ctx, _raw: Raw) -> Result<()> {
    Ok(())
}

fn main() {}
