//! The function of a step without a declared type is given any error.

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

impl ChargeError {
    fn is_transient(&self) -> bool {
        true
    }
}

#[onward::step(attempts = 5, retry_if = "ChargeError::is_transient")]
async fn charge() -> Result<()> {
    Err(ChargeError)?
}

fn main() {}
