//! Executors that were found silent, for the task that declares them dead.

use std::sync::{Mutex, MutexGuard};

use onward_types::ExecutorId;
use tokio::sync::Notify;

use crate::sync::lock;

/// The executors without a heartbeat for their leases, each with the last beat that was seen.
#[derive(Default)]
pub(crate) struct Silent {
    latest: Mutex<Vec<(ExecutorId, i64)>>,
    added: Notify,
}

impl Silent {
    /// Stores the executors that are silent now.
    pub(crate) fn note(&self, silent: Vec<(ExecutorId, i64)>) {
        *self.lock() = silent;
        self.added.notify_one();
    }

    /// Waits until silent executors are found.
    pub(crate) async fn found(&self) {
        self.added.notified().await;
    }

    /// Takes the latest list.
    pub(crate) fn take(&self) -> Vec<(ExecutorId, i64)> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ExecutorId, i64)>> {
        lock(&self.latest)
    }
}
