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

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

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
pub async fn typed(_: &Ctx) -> Result<u32, Refused> {
    Err(Refused)
}

#[onward::workflow(errors = "Refused")]
pub async fn also_typed(_: &Ctx) -> Result<u32> {
    if "7".parse::<u32>()? > 6 { Err(Refused.into()) } else { Ok(7) }
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

fn errors<W: Workflow>() -> String {
    format!("{:?}", W::ERRORS)
}

fn main() {
    gives::<short>();
    gives::<standard>();
    gives::<own_error>();
    gives::<io>();
    gives::<typed>();
    gives::<also_typed>();
    assert_eq!(errors::<short>(), "any error");
    assert_eq!(errors::<own_error>(), "any error");
    assert_eq!(errors::<durable_error>(), "onward_types::error::Error");
    assert!(errors::<typed>().ends_with("Refused"));
    assert!(errors::<also_typed>().ends_with("Refused"));
    gives::<alias>();
    gives::<whole_alias>();
}
