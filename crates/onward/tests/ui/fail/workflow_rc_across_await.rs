//! What a workflow holds across an await can be sent between threads.

use std::rc::Rc;

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<u64> {
    let cents = Rc::new(5);
    ctx.sleep(secs(1)).await?;
    Ok(*cents)
}

fn main() {}
