//! Stops callers from waiting for the start of a run while the database takes no commits. The run starts all the same once it
//! does.

use std::sync::Arc;

use super::SWEEP;
use crate::executor::Executor;
use crate::executor::PATIENCE;

pub(crate) async fn run(executor: Arc<Executor>) {
    loop {
        executor.store.clock().rest(SWEEP).await;
        let now = executor.store.clock().now();
        let is_long = |since| now.duration_since(since).unsigned_abs() >= PATIENCE;
        if executor.journal_trouble().is_some_and(|trouble| is_long(trouble.since)) {
            for core in executor.residents.all() {
                core.creations.dismiss_starter();
            }
        }
    }
}
