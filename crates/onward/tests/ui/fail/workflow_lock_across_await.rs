//! A lock is not held across an await.

use std::sync::Mutex;

use onward::prelude::*;

static SOLD: Mutex<u64> = Mutex::new(0);

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<u64> {
    let sold = SOLD.lock().unwrap();
    ctx.sleep(secs(1)).await?;
    Ok(*sold)
}

fn main() {}
