//! An error that comes back typed is recorded, so it has the derives.

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

#[onward::workflow(errors = "Bad")]
async fn checkout(_: &Ctx) -> Result<()> {
    Err(Bad.into())
}

fn main() {}
