//! A function without the attribute is not a type.

use onward::prelude::*;

async fn plain(_: &Ctx) -> Result<()> {
    Ok(())
}

async fn start(onward: &Onward) -> Result<()> {
    onward.start::<plain>(()).await?;
    Ok(())
}

fn main() {}
