//! The workflows that are measured. Their steps do nothing: what is left is what Onward costs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use onward::prelude::*;
use onward::{Builder, Timestamp};

use crate::database::Fresh;

/// So many steps, one after another.
#[onward::workflow]
pub(crate) async fn steps(ctx: &Ctx, count: u32) -> Result<u32> {
    for number in 0..count {
        ctx.step("step", async || Ok(number)).await?;
    }
    Ok(count)
}

/// The same, with the time at which each step was recorded.
#[onward::workflow]
pub(crate) async fn timed_steps(ctx: &Ctx, count: u32) -> Result<u32> {
    for number in 0..count {
        ctx.step("step", async || Ok(number)).await?;
        // Clocks are no business of a workflow: this one is never replayed.
        TIMES.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }
    Ok(count)
}

static TIMES: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// When the steps of the last timed run were recorded.
pub(crate) fn take_times() -> Vec<Instant> {
    std::mem::take(&mut *TIMES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Waits for a day.
#[onward::workflow]
pub(crate) async fn sleeper(ctx: &Ctx, number: u32) -> Result<u32> {
    ctx.sleep(days(1)).await?;
    Ok(number)
}

/// Waits until then.
#[onward::workflow]
pub(crate) async fn naps(ctx: &Ctx, until: Timestamp) -> Result<()> {
    Ok(ctx.sleep_until(until).await?)
}

/// So many steps that give 10 MiB each, one in a second.
#[onward::workflow]
pub(crate) async fn writes(ctx: &Ctx, count: u32) -> Result<()> {
    for _ in 0..count {
        let body = async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok("x".repeat(10 * 1024 * 1024))
        };
        ctx.step("write", body).await?;
    }
    Ok(())
}

/// An engine on this database, with all its defaults, warmed up by some runs.
pub(crate) async fn engine(fresh: &Fresh) -> crate::Result<Onward> {
    engine_with(fresh, |builder| builder).await
}

/// The same, built differently.
pub(crate) async fn engine_with(fresh: &Fresh, build: impl FnOnce(Builder) -> Builder) -> crate::Result<Onward> {
    let engine = build(builder(&fresh.url)).launch().await?;
    for _ in 0..20 {
        engine.start::<steps>(5).await?.result().await?;
    }
    Ok(engine)
}

pub(crate) async fn launch(url: &str) -> crate::Result<Onward> {
    Ok(builder(url).launch().await?)
}

fn builder(url: &str) -> Builder {
    Onward::open(url).workflows::<(steps, timed_steps, sleeper, naps, writes)>()
}

pub(crate) async fn stop(engine: Onward) -> crate::Result<()> {
    Ok(engine.shutdown(Duration::from_secs(5)).await?)
}
