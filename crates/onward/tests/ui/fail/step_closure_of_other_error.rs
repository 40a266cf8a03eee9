//! A body's error is `BoxError`: `?` makes it one.

use onward::prelude::*;

async fn io() -> std::io::Result<u32> {
    Ok(5)
}

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.step("io", || io()).await?)
}

fn main() {}
