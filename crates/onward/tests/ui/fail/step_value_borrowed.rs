//! A step's result is recorded, so it owns its data.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<usize> {
    let text: &str = ctx
        .step("text", async || {
            let text = String::from("five");
            Ok(text.as_str())
        })
        .await?;
    Ok(text.len())
}

fn main() {}
