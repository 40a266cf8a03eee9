//! A workflow has one type of input.

use onward::prelude::*;

#[onward::workflow]
async fn checkout<T: onward::Data>(_ctx: &Ctx, _input: T) -> Result<()> {
    Ok(())
}

fn main() {}
