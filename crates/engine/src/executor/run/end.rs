//! How a run left the memory of this process: for everybody here who waits for that.

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
    /// It ended, and this is committed.
    Ended(Arc<Outcome>),
    /// It is not here any more: parked, released or taken away. The store knows more.
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
