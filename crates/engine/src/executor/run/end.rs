//! How a run left the memory of this process, for callers in this process that wait for it.

use std::sync::{Arc, OnceLock};

use onward_store::Outcome;
use tokio::sync::Notify;

/// Set once, when the run leaves.
#[derive(Default)]
pub(crate) struct EndSlot {
    end: OnceLock<End>,
    set: Notify,
}

/// How a run left.
#[derive(Clone)]
pub(crate) enum End {
    /// It ended, and its end is committed.
    Ended(Arc<Outcome>),
    /// It is no longer in this memory: parked, released, held or revoked. The database has its state.
    Elsewhere,
}

impl EndSlot {
    pub(crate) fn set(&self, end: End) {
        if self.end.set(end).is_ok() {
            self.set.notify_waiters();
        }
    }

    pub(crate) async fn wait(&self) -> End {
        loop {
            let set = self.set.notified();
            if let Some(end) = self.end.get() {
                return end.clone();
            }
            set.await;
        }
    }
}
