//! A workflow with an error type of its own says how the error of a call becomes one.

use std::fmt;

use onward::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct ChargeError;

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("declined")
    }
}

impl std::error::Error for ChargeError {}

#[onward::workflow]
async fn checkout(ctx: &Ctx) -> Result<(), ChargeError> {
    ctx.sleep(secs(1)).await?;
    Ok(())
}

fn main() {}
