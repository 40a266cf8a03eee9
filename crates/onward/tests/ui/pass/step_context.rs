//! A step may name the context itself, leave it unnamed, or have a `ctx` that is something else.
#![deny(warnings)]

use onward::prelude::*;

pub struct Db(String);

#[onward::step]
async fn named(ctx: &Ctx, day: &str) -> Result<usize> {
    Ok(ctx.state::<Db>().0.len() + day.len() + ctx.attempt() as usize)
}

#[onward::step]
async fn renamed(context: &onward::Ctx) -> Result<String> {
    Ok(context.run_id().to_owned())
}

#[onward::step]
async fn unnamed(_: &Ctx, day: &str) -> Result<usize> {
    Ok(day.len())
}

#[onward::step]
async fn another(ctx: u32) -> Result<u32> {
    Ok(ctx)
}

pub struct Shop;

impl Shop {
    // Without `self` a step may stand in an `impl` too.
    #[onward::step]
    pub async fn stock(article: &str) -> Result<usize> {
        Ok(article.len())
    }
}

async fn helper(ctx: &Ctx) -> Result<usize> {
    Ok(named(ctx, "monday").await? + unnamed(ctx, "monday").await?)
}

#[onward::workflow]
pub async fn every(ctx: &Ctx) -> Result<()> {
    helper(ctx).await?;
    renamed(ctx).await?;
    another(ctx, 5).await?;
    Shop::stock(ctx, "hat").await?;
    Ok(())
}

fn main() {}
