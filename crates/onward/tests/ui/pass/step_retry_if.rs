//! A step says after which errors it is retried: those of its type, or every error if it has none.
#![deny(warnings)]

use std::fmt;

use onward::prelude::*;
use serde::{Deserialize, Serialize};

mod gateway {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub enum ChargeError {
        Declined,
        Away,
    }

    impl ChargeError {
        pub fn is_transient(&self) -> bool {
            matches!(self, ChargeError::Away)
        }
    }

    impl fmt::Display for ChargeError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{self:?}")
        }
    }

    impl std::error::Error for ChargeError {}
}

fn is_no_parse_error(error: &Error) -> bool {
    !error.message().contains("invalid digit")
}

#[onward::step(attempts = 5, retry_if = "gateway::ChargeError::is_transient")]
async fn charge(cents: u64) -> Result<u64, gateway::ChargeError> {
    if cents > 100 { Err(gateway::ChargeError::Declined) } else { Ok(cents) }
}

#[onward::step(attempts = 5, errors = "gateway::ChargeError", retry_if = "gateway::ChargeError::is_transient")]
async fn parse_and_charge(cents: &str) -> Result<u64> {
    let cents = cents.parse()?;
    if cents > 100 { Err(Error::fatal(gateway::ChargeError::Declined))? } else { Ok(cents) }
}

#[onward::step(attempts = 5, retry_if = "is_no_parse_error")]
async fn parse(cents: &str) -> Result<u64> {
    Ok(cents.parse()?)
}

#[onward::step(retry_if = "Error::is_timed_out")]
async fn durable(cents: u64) -> Result<u64, Error> {
    if cents > 100 { Err("too much".into()) } else { Ok(cents) }
}

#[onward::step(retry_if = "<E as Transient>::is_transient")]
async fn generic<E: onward::calls::Failure + Transient + Clone>(error: &E) -> Result<(), E> {
    Err(error.clone())
}

pub trait Transient {
    fn is_transient(&self) -> bool;
}

#[onward::workflow]
pub async fn shop(ctx: &Ctx, cents: u64) -> Result<u64, Error> {
    let parsed = parse(ctx, "5").await?;
    if parsed == cents {
        return parse_and_charge(ctx, "5").await;
    }
    match charge(ctx, cents).await {
        Err(error) if error.downcast_ref().is_some_and(gateway::ChargeError::is_transient) => durable(ctx, cents).await,
        charged => charged,
    }
}

fn main() {
    let _ = generic::<gateway_error::Away>;
}

mod gateway_error {
    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub struct Away;

    impl fmt::Display for Away {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("away")
        }
    }

    impl std::error::Error for Away {}

    impl Transient for Away {
        fn is_transient(&self) -> bool {
            true
        }
    }
}
