//! Counts runs that have ended, so that `client.counts()` need not read their history. Every executor does so, starting at a
//! random offset; each goes on where the last one stopped.

use std::sync::Arc;
use std::time::Duration;

use onward_types::Error;

use super::note;
use crate::executor::Executor;

/// How often it counts.
const EVERY: Duration = Duration::from_secs(60);

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    clock.rest(Duration::from_millis(crate::random::number() % 60_000)).await;
    loop {
        note(&executor, "counter", "count", sweep(&executor).await);
        clock.rest(EVERY).await;
    }
}

async fn sweep(executor: &Executor) -> Result<(), Error> {
    while !executor.is_draining() && executor.store.advance_counts().await? {}
    Ok(())
}
