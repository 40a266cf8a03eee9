//! Executors that were found silent, for the task that declares them dead.

use std::sync::{Mutex, MutexGuard, PoisonError};

use onward_types::ExecutorId;
use tokio::sync::Notify;

/// Which executors have not said that they live, each with the beat that was last seen of it.
#[derive(Default)]
pub(crate) struct Silent {
    latest: Mutex<Vec<(ExecutorId, i64)>>,
    bell: Notify,
}

impl Silent {
    /// These are silent by the latest look.
    pub(crate) fn note(&self, silent: Vec<(ExecutorId, i64)>) {
        *self.lock() = silent;
        self.bell.notify_one();
    }

    /// Wait until some are found.
    pub(crate) async fn found(&self) {
        self.bell.notified().await;
    }

    /// Those that were found last.
    pub(crate) fn take(&self) -> Vec<(ExecutorId, i64)> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ExecutorId, i64)>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
