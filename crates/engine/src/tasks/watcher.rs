//! Declares executors dead that have been silent for their leases. The [pulse](super::pulse) finds them. This task may wait for
//! the database; nothing waits for it.

use std::sync::Arc;

use futures_util::future::join_all;

use super::note;
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    loop {
        executor.silent.found().await;
        // Concurrently: an executor whose row is locked does not delay the others, and is found again at the next read.
        let declare = async |(id, beat)| {
            let declared = executor.store.declare_dead(&id, beat).await;
            if note(&executor, "watcher", format!("declare {id}"), declared) == Some(true) {
                tracing::warn!(
                    target: "onward::executor",
                    executor = %executor.seat().executor,
                    dead_executor = %id,
                    "another executor sent no heartbeat for its lease: it is declared dead, and others take over its runs"
                );
                executor.declared_dead.notify_one();
            }
        };
        join_all(executor.silent.take().into_iter().map(declare)).await;
    }
}
