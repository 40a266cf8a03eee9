//! The error of a workflow comes back typed if it has the derives.

use std::fmt;

use onward::prelude::*;

#[derive(Debug)]
struct Bad;

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad")
    }
}

impl std::error::Error for Bad {}

#[onward::workflow]
async fn checkout(_: &Ctx) -> Result<(), Bad> {
    Err(Bad)
}

#[onward::workflow]
async fn shop(ctx: &Ctx) -> Result<bool> {
    let error = ctx.run::<checkout>(()).await.unwrap_err();
    Ok(error.downcast::<Bad>().is_ok())
}

fn main() {}
