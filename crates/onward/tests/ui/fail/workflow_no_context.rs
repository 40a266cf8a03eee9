//! A workflow takes the context.

use onward::prelude::*;

#[onward::workflow]
async fn checkout() -> Result<()> {
    Ok(())
}

fn main() {}
