//! A workflow returns any `Result`: the project's, the standard one, an alias, with an error of its own.
#![deny(warnings)]

use std::fmt;

use onward::{BoxError, Workflow, prelude::*};

#[derive(Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

type Fallible<T> = std::result::Result<T, Broken>;
type Booked = Fallible<u32>;

#[onward::workflow]
pub async fn short(_: &Ctx) -> Result<u32> {
    Ok("7".parse()?)
}

#[onward::workflow]
pub async fn standard(_: &Ctx) -> std::result::Result<u32, BoxError> {
    Ok(7)
}

#[onward::workflow]
pub async fn durable_error(ctx: &Ctx) -> Result<(), Error> {
    ctx.sleep(secs(1)).await
}

#[onward::workflow]
pub async fn own_error(_: &Ctx) -> Result<u32, Broken> {
    Err(Broken)
}

#[onward::workflow]
pub async fn io(_: &Ctx) -> std::io::Result<u32> {
    Ok(7)
}

#[onward::workflow]
pub async fn alias(_: &Ctx) -> Fallible<u32> {
    Ok(7)
}

#[onward::workflow]
pub async fn whole_alias(_: &Ctx) -> Booked {
    Ok(7)
}

fn gives<W: Workflow<Output = u32>>() {}

fn main() {
    gives::<short>();
    gives::<standard>();
    gives::<own_error>();
    gives::<io>();
    gives::<alias>();
    gives::<whole_alias>();
}
