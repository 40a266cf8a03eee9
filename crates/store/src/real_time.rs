//! The time of the machine, for the infrastructure alone: pauses before a database is queried again, limits on its answers, and
//! measurements.
//!
//! Runs, leases and schedules go by [`Clock`](crate::Clock), which tests move. No other code of the store and the engine reads a
//! clock or sleeps: clippy refuses that (`clippy.toml` of both crates), and this file and `clock.rs` are the exceptions.
#![expect(clippy::disallowed_methods, reason = "the only place that does so")]

use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;

/// This moment.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Wait for this long.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Wait until then.
pub async fn sleep_until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}

/// Wait for a future, but not for longer than this.
///
/// # Errors
/// If the time is up first. The future is dropped then.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout(limit, future).await
}

/// Wait for a future, but not after this moment.
///
/// # Errors
/// If the time is up first. The future is dropped then.
pub async fn timeout_at<F: Future>(end: Instant, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout_at(end.into(), future).await
}

/// Block this thread for this long. For threads of our own; a task of a runtime uses [`sleep`].
pub fn block(duration: Duration) {
    std::thread::sleep(duration);
}
