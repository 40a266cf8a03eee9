//! Deletes ended runs that no rule keeps. Every executor with rules does so, starting at a random offset; when two overlap,
//! each skips rows that the other has locked.

use std::sync::Arc;
use std::time::Duration;

use onward_types::Error;

use super::note;
use crate::executor::Executor;

/// How often it deletes.
const EVERY: Duration = Duration::from_secs(60);

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    clock.rest(Duration::from_millis(crate::random::number() % 60_000)).await;
    loop {
        if let Some(deleted) =
            note(&executor, "retention", "delete", sweep(&executor).await).filter(|deleted| *deleted > 0)
        {
            let by = executor.seat();
            tracing::info!(
                target: "onward::executor",
                executor = %by.executor,
                runs = deleted,
                "deleted ended runs that no retention rule keeps"
            );
        }
        clock.rest(EVERY).await;
    }
}

async fn sweep(executor: &Executor) -> Result<u64, Error> {
    let mut deleted = 0;
    for rule in executor.options.retention.iter().filter(|_| !executor.is_draining()) {
        deleted += executor.store.retain(rule).await?;
    }
    Ok(deleted)
}
