//! Wakes parked runs whose wake-up signal was lost.

use std::sync::Arc;

use super::{SWEEP, note};
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    loop {
        if note(&executor, "waker", "wake", executor.store.sweep_missed().await).is_some_and(|woken| woken > 0) {
            executor.notify_ready();
        }
        executor.store.clock().rest(SWEEP).await;
    }
}
