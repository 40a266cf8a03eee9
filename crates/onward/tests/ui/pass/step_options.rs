//! Options stand in the attribute, or are said where the step is called. Other attributes go where they belong.
#![deny(warnings)]

use std::time::Duration;

use onward::prelude::*;

/// Takes the money.
#[onward::step(name = "charge card", attempts = 5, backoff = "250ms..1h", timeout = "2m", heartbeat_timeout = "30s")]
pub async fn charge(cents: u64) -> Result<u64> {
    Ok(cents)
}

#[onward::step]
#[allow(unused_variables)]
#[inline]
async fn lenient(cents: u64) -> Result<()> {
    Ok(())
}

#[onward::workflow]
#[allow(unused_variables)]
pub async fn every(ctx: &Ctx, unused: u64) -> Result<()> {
    charge(ctx, 5).await?;
    charge(ctx, 5).attempts(3).timeout(secs(5)).await?;
    let pauses = Duration::from_millis(250)..Duration::from_secs(3600);
    lenient(ctx, 5).backoff(pauses).retry_if(|error| !error.is_timed_out()).await?;
    Ok(())
}

fn main() {}
