//! The forms of a body in `ctx.step`: what it captures decides which.
#![deny(warnings)]

use onward::prelude::*;

async fn fetch(url: &str) -> Result<u64> {
    Ok(url.len() as u64)
}

async fn io(url: &str) -> std::io::Result<String> {
    Ok(url.to_owned())
}

#[onward::workflow]
pub async fn every(ctx: &Ctx, urls: Vec<String>) -> Result<u64> {
    // It borrows what it captures, and `?` takes any error without an annotation.
    let text = ctx.step("borrow", async || Ok(io(&urls[0]).await?)).await?;
    let number = ctx.step("parse", async || Ok(text.parse::<u64>()? + fetch(&text).await?)).await?;
    // A function that returns `onward::Result` needs no block.
    let direct = ctx.step("direct", || fetch(&text)).await?;
    // In a loop of built calls, what varies is moved in.
    let mut calls = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        calls.push(ctx.step("moved", move || async move { Ok(fetch(url).await? + index as u64) }));
    }
    let mut sum = number + direct;
    for call in calls {
        sum += call.await?;
    }
    Ok(sum)
}

fn main() {}
