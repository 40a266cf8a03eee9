//! Runs whose messages are to be read, and the calls that wait for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use onward_types::RunKey;
use tokio::sync::{Notify, oneshot};

use crate::executor::run::core::RunCore;
use crate::sync::lock;

/// The messages of all runs that requested a read are read together.
#[derive(Default)]
pub(crate) struct MessageRequests {
    requests: Mutex<HashMap<RunKey, MessageRequest>>,
    added: Notify,
}

/// A run whose messages are to be read.
pub(crate) struct MessageRequest {
    pub(crate) core: Arc<RunCore>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl MessageRequest {
    /// The messages are in the run's inbox.
    pub(crate) fn done(self) {
        for waiting in self.waiting {
            // The call that waits may have been dropped.
            waiting.send(()).ok();
        }
    }
}

impl MessageRequests {
    /// Requests a read of the messages of a run. The receiver resolves once a read that began after this call is in the run's
    /// inbox.
    pub(crate) fn request(&self, core: &Arc<RunCore>) -> oneshot::Receiver<()> {
        let (sender, answer) = oneshot::channel();
        self.note(core, Some(sender));
        self.added.notify_one();
        answer
    }

    /// This run may have new messages.
    pub(crate) fn remind(&self, core: &Arc<RunCore>) {
        self.note(core, None);
    }

    fn note(&self, core: &Arc<RunCore>, waiting: Option<oneshot::Sender<()>>) {
        let mut requests = self.lock();
        let of_run = requests
            .entry(core.about.key)
            .or_insert_with(|| MessageRequest { core: core.clone(), waiting: Vec::new() });
        // A run that left memory and came back has a new `RunCore`.
        of_run.core = core.clone();
        of_run.waiting.extend(waiting);
    }

    /// Waits until a read is requested.
    pub(crate) async fn requested(&self) {
        self.added.notified().await;
    }

    /// Takes up to `most` requests.
    pub(crate) fn take(&self, most: usize) -> Vec<MessageRequest> {
        let mut requests = self.lock();
        let keys: Vec<RunKey> = requests.keys().take(most).copied().collect();
        keys.iter().filter_map(|key| requests.remove(key)).collect()
    }

    /// Puts requests back that could not be served.
    pub(crate) fn put_back(&self, again: Vec<MessageRequest>) {
        let mut requests = self.lock();
        for MessageRequest { core, waiting } in again {
            requests
                .entry(core.about.key)
                .or_insert(MessageRequest { core, waiting: Vec::new() })
                .waiting
                .extend(waiting);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunKey, MessageRequest>> {
        lock(&self.requests)
    }
}
