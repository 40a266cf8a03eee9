//! A workflow is not a method.

use onward::prelude::*;

struct Shop;

impl Shop {
    #[onward::workflow]
    async fn checkout(&self, _ctx: &Ctx) -> Result<()> {
        Ok(())
    }
}

fn main() {}
