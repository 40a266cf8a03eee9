//! Looks now and then how the queues stand, for the metrics: reading those asks no database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::note;
use crate::executor::Executor;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(10);
/// Runs are counted one by one, and a million take a while: it rests this many times as long as that took.
const REST: u32 = 100;
const REST_MAX: Duration = Duration::from_secs(300);

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
        let began = Instant::now();
        let counted = note(&executor, "depths", "count", executor.store.queues().await);
        // What was counted long ago is no answer while the database is away.
        let rest = if counted.is_some() { (began.elapsed() * REST).min(REST_MAX) } else { EVERY };
        executor.note_depths(counted.unwrap_or_default());
        clock.sleep(EVERY.max(rest)).await;
    }
}
