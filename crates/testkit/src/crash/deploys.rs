//! A workflow that bad deploys get hold of: one that wants other types, and one that panics. What they hold is mended by the
//! next good deploy, and what they refuse is looked at again.

use std::str::FromStr;
use std::time::Duration;

use onward::prelude::*;
use serde::{Deserialize, Serialize};

use super::mix;
use super::run::{World, value};

/// The topic of the decision that a run of [`deployed`] waits for.
pub const DECISION: &str = "decision";

/// What is wrong with the code of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Build {
    /// Nothing.
    #[default]
    Good,
    /// It wants a field that was never recorded, and decisions that nobody makes.
    OtherTypes,
    /// Its workflow code panics.
    Panics,
}

impl Build {
    /// The build as an argument of a worker.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Build::Good => "good",
            Build::OtherTypes => "other-types",
            Build::Panics => "panics",
        }
    }
}

impl FromStr for Build {
    type Err = String;

    fn from_str(text: &str) -> Result<Build, String> {
        let all = [Build::Good, Build::OtherTypes, Build::Panics];
        all.into_iter().find(|build| build.as_str() == text).ok_or_else(|| format!("`{text}` is no build"))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Paid {
    cents: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct PaidElsewhere {
    cents: u64,
    currency: String,
}

/// What a run of [`deployed`] is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Decision {
    /// Go on, with this number.
    Ship(u64),
}

#[derive(Debug, Serialize, Deserialize)]
enum OtherDecision {
    Refund(u64),
}

/// Pay, wait until somebody decides, and note both. Its value is [`deployed_result`], whichever builds executed it.
#[onward::workflow]
pub async fn deployed(ctx: &Ctx, salt: u64) -> Result<u64> {
    let build = ctx.state::<World>().build;
    let cents = match build {
        Build::OtherTypes => {
            let pay = async || Ok(PaidElsewhere { cents: salt, currency: "chf".to_owned() });
            ctx.step("pay", pay).await?.cents
        }
        Build::Good | Build::Panics => ctx.step("pay", async || Ok(Paid { cents: salt })).await?.cents,
    };
    ctx.sleep(Duration::from_millis(salt % 400)).await?;
    assert!(build != Build::Panics || salt.is_multiple_of(3), "this deploy has a bug");
    let decided = match build {
        Build::OtherTypes => {
            let OtherDecision::Refund(number) = ctx.recv(DECISION).await?;
            number
        }
        Build::Good | Build::Panics => {
            let Decision::Ship(number) = ctx.recv(DECISION).await?;
            number
        }
    };
    Ok(value(ctx, "note", mix(cents, decided), salt % 10).await?)
}

/// What a run of [`deployed`] comes to.
#[must_use]
pub fn deployed_result(salt: u64) -> u64 {
    mix(salt, salt ^ 1)
}
