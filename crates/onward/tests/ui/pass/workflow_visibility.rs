//! The type is as visible as its function, and `use` brings both.
#![deny(warnings)]
#![allow(dead_code)]

use onward::prelude::*;
pub use shop::checkout as buy;

mod shop {
    use onward::prelude::*;

    pub use parcels::ship;

    #[onward::workflow]
    pub async fn checkout(ctx: &Ctx, order: u64) -> Result<u64> {
        ship(ctx, order).await
    }

    mod parcels {
        use onward::prelude::*;

        #[onward::workflow]
        pub async fn ship(_: &Ctx, order: u64) -> Result<u64> {
            Ok(order)
        }

        #[onward::workflow]
        pub(super) async fn pack(_: &Ctx) -> Result<()> {
            Ok(())
        }

        #[onward::step]
        pub(super) async fn weigh(order: u64) -> Result<u64> {
            Ok(order)
        }
    }

    #[onward::workflow]
    pub(super) async fn inside(ctx: &Ctx) -> Result<u64> {
        ctx.run::<parcels::pack>(()).await?;
        Ok(parcels::weigh(ctx, 5).await?)
    }
}

// A module and a workflow of one name meet by path.
mod refund {
    use onward::prelude::*;

    #[onward::workflow]
    pub async fn refund(_: &Ctx) -> Result<()> {
        Ok(())
    }
}

pub async fn start(onward: &Onward) -> Result<()> {
    onward.start::<buy>(5).await?;
    onward.start::<shop::ship>(5).await?;
    onward.start::<shop::inside>(()).await?;
    onward.start::<refund::refund>(()).await?;
    Ok(())
}

fn main() {}
