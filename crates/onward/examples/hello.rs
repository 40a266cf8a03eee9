//! Hello, durably. Run it twice: the second time it only tells what was recorded.
use onward::prelude::*;

#[onward::workflow]
async fn greet(ctx: &Ctx, name: String) -> Result<String, Error> {
    let hello = ctx.step("hello", async || Ok(format!("Hello, {name}"))).await?;
    ctx.sleep(secs(1)).await?;
    ctx.step("bang", async || Ok(format!("{hello}!"))).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let onward = Onward::open("sqlite:hello.db").workflow::<greet>().launch().await?;
    let run = onward.start::<greet>("Ada".into()).id("first").await?;
    println!("{}", run.result().await?);
    Ok(())
}
