//! What a body holds across an await can be sent between threads.

use std::rc::Rc;

use onward::prelude::*;

async fn io() {}

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<u64> {
    let cents = ctx.step("charge", async || {
        let cents = Rc::new(5);
        io().await;
        Ok(*cents)
    });
    Ok(cents.await?)
}

fn main() {}
