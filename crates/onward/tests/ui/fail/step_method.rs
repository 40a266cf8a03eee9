//! A step is not a method.

use onward::prelude::*;

struct Shop;

impl Shop {
    #[onward::step]
    async fn charge(&self, _ctx: &Ctx) -> Result<()> {
        Ok(())
    }
}

fn main() {}
