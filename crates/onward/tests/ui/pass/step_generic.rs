//! A step may be generic, in its input and in its result.
#![deny(warnings)]

use onward::{Data, prelude::*};
use serde::Serialize;

#[onward::step]
async fn put<T: Serialize + Sync>(key: &str, value: &T) -> Result<usize> {
    Ok(key.len() + std::mem::size_of_val(value))
}

#[onward::step]
async fn all<T, const N: usize>(values: [T; N]) -> Result<usize>
where
    T: Serialize + Clone + Send + Sync,
{
    Ok(values.len())
}

#[onward::step]
async fn get<T: Data + Default>(_key: &str) -> Result<T> {
    Ok(T::default())
}

#[onward::step]
async fn any(text: impl Into<String> + Clone + Send + Sync) -> Result<String> {
    Ok(text.into())
}

#[onward::workflow]
pub async fn every(ctx: &Ctx) -> Result<()> {
    put(ctx, "k", &vec![1, 2]).await?;
    all(ctx, [1, 2, 3]).await?;
    let _number: u32 = get(ctx, "k").await?;
    let _text = get::<String>(ctx, "k").await?;
    any(ctx, "k").await?;
    Ok(())
}

fn main() {}
