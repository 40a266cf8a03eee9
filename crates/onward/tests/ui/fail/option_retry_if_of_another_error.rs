//! The function of a typed step is given the typed error.

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

#[onward::step(attempts = 5, retry_if = "Error::is_timed_out")]
async fn charge() -> Result<(), ChargeError> {
    Err(ChargeError)
}

fn main() {}
