//! Tells runs that their changes are durable, beside the writer.
//!
//! A thread of the runtime wakes a task by putting it in its own queue; any other thread takes a lock for each and may have to
//! wake a thread. With 1,000 runs in a batch that was a quarter of the writer's time, in which nothing was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::journal::Settlement;

/// Up to so many changes are told of by the writer: a hop to another thread would take longer.
const FEW: usize = 16;

pub(super) struct Settler {
    /// None: there is no runtime.
    batches: Option<UnboundedSender<Settlement>>,
    /// Batches that are on their way to the runtime: those that come after them wait their turn.
    waiting: Arc<AtomicUsize>,
}

impl Settler {
    /// On the runtime that this is called on.
    pub(super) fn start() -> Settler {
        let waiting = Arc::new(AtomicUsize::new(0));
        let batches = Handle::try_current().ok().map(|runtime| {
            let (send, receive) = unbounded_channel();
            runtime.spawn(settle_all(receive, waiting.clone()));
            send
        });
        Settler { batches, waiting }
    }

    pub(super) fn settle(&self, settlement: Settlement) {
        let is_next = self.waiting.load(Ordering::SeqCst) == 0;
        let Some(batches) = self.batches.as_ref().filter(|_| settlement.changes() > FEW || !is_next) else {
            settlement.settle();
            return;
        };
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if let Err(back) = batches.send(settlement) {
            // The runtime has ended, and with it whatever waited there.
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            back.0.settle();
        }
    }
}

/// Ends with the writer. A panic while a batch is told of closes the journal of that batch, as on the writer.
async fn settle_all(mut batches: UnboundedReceiver<Settlement>, waiting: Arc<AtomicUsize>) {
    while let Some(settlement) = batches.recv().await {
        settlement.settle();
        waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
