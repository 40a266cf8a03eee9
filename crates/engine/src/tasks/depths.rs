//! Counts the runs of each queue periodically for the metrics, so that reading them does not query the database.

use std::sync::Arc;
use std::time::Duration;

use super::note;
use crate::executor::Executor;

/// How often it counts.
const EVERY: Duration = Duration::from_secs(10);
/// Runs are counted one by one, and a million take a while: the pause is this many times as long as the count took.
const REST: u32 = 100;
const REST_MAX: Duration = Duration::from_secs(300);

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
        let began = onward_store::real_time::now();
        let counted = note(&executor, "depths", "count", executor.store.queues().await);
        // While the database is unreachable, old counts are not reported.
        let rest = if counted.is_some() { (began.elapsed() * REST).min(REST_MAX) } else { EVERY };
        executor.note_depths(counted.unwrap_or_default());
        clock.rest(EVERY.max(rest)).await;
    }
}
