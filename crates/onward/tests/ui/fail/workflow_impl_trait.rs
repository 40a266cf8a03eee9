//! A workflow has one type of input, by whichever notation.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_ctx: &Ctx, _input: impl onward::Data) -> Result<()> {
    Ok(())
}

fn main() {}
