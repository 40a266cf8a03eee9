//! A function in an `impl` has no place for a type beside it.

use onward::prelude::*;

struct Shop;

impl Shop {
    #[onward::workflow]
    async fn checkout(_: &Ctx) -> Result<()> {
        Ok(())
    }
}

fn main() {}
