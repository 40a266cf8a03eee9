//! Tells runs that their changes are durable, beside the writer.
//!
//! A thread of the runtime wakes a task by putting it in its own queue; any other thread takes a lock for each and may have to
//! wake a thread. With 1,000 runs in a batch that was a quarter of the writer's time, in which nothing was written. But a runtime may
//! rest, or have ended: what nobody took up for a while is told by the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::journal::Settlement;
use crate::sync::lock;

/// Up to so many changes are told of by the writer: a hop to another thread would take longer.
const FEW: usize = 16;
/// A runtime that lets a batch wait for so long does not run.
const LATE: Duration = Duration::from_millis(20);

pub(super) struct Settler {
    batches: Arc<Batches>,
    /// Rung when a batch waits for the runtime. None: there is no runtime.
    bell: Option<Arc<Notify>>,
}

/// Batches that wait to be told of, in their order.
#[derive(Default)]
struct Batches {
    waiting: Mutex<VecDeque<(Settlement, Instant)>>,
    /// Held by whoever tells, for one batch after the other.
    telling: Mutex<()>,
}

impl Settler {
    /// On the runtime that this is called on.
    pub(super) fn start() -> Settler {
        let batches = Arc::<Batches>::default();
        let bell = Handle::try_current().ok().map(|runtime| {
            let bell = Arc::<Notify>::default();
            runtime.spawn(settle_all(Arc::downgrade(&batches), bell.clone()));
            bell
        });
        Settler { batches, bell }
    }

    pub(super) fn settle(&self, settlement: Settlement) {
        self.settle_late();
        let Some(bell) = &self.bell else {
            settlement.settle();
            return;
        };
        if settlement.changes() <= FEW
            && let Ok(_telling) = self.batches.telling.try_lock()
            && lock(&self.batches.waiting).is_empty()
        {
            settlement.settle();
            return;
        }
        lock(&self.batches.waiting).push_back((settlement, crate::real_time::now()));
        bell.notify_one();
    }

    /// Tell what the runtime has not taken up.
    pub(super) fn settle_late(&self) {
        if lock(&self.batches.waiting).front().is_some_and(|(_, since)| since.elapsed() > LATE) {
            self.batches.settle();
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.batches.settle();
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }
}

impl Batches {
    fn settle(&self) {
        let _telling = lock(&self.telling);
        loop {
            let next = lock(&self.waiting).pop_front();
            let Some((settlement, _)) = next else { return };
            settlement.settle();
        }
    }
}

/// Ends with the writer. A panic while a batch is told of closes the journal of that batch, as on the writer.
async fn settle_all(batches: Weak<Batches>, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        match batches.upgrade() {
            Some(batches) => batches.settle(),
            None => return,
        }
    }
}
