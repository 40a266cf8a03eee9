//! Runs whose messages are to be read, and the calls that wait for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use onward_types::RunKey;
use tokio::sync::{Notify, oneshot};

use crate::executor::run::core::RunCore;
use crate::sync::lock;

/// The messages of all runs that requested a read are read together.
#[derive(Default)]
pub(crate) struct Post {
    asked: Mutex<HashMap<RunKey, Asked>>,
    bell: Notify,
}

/// A run whose messages are to be read.
pub(crate) struct Asked {
    pub(crate) core: Arc<RunCore>,
    tell: Vec<oneshot::Sender<()>>,
}

impl Asked {
    /// The messages are in the run's inbox.
    pub(crate) fn done(self) {
        for tell in self.tell {
            // The call that waits may have been dropped.
            tell.send(()).ok();
        }
    }
}

impl Post {
    /// Requests a read of the messages of a run. The receiver resolves once a read that began after this call is in the run's
    /// inbox.
    pub(crate) fn ask(&self, core: &Arc<RunCore>) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.note(core, Some(tell));
        self.bell.notify_one();
        told
    }

    /// This run may have new messages.
    pub(crate) fn remind(&self, core: &Arc<RunCore>) {
        self.note(core, None);
    }

    fn note(&self, core: &Arc<RunCore>, tell: Option<oneshot::Sender<()>>) {
        let mut asked = self.lock();
        let of_run = asked.entry(core.about.key).or_insert_with(|| Asked { core: core.clone(), tell: Vec::new() });
        // A run that left memory and came back has a new `RunCore`.
        of_run.core = core.clone();
        of_run.tell.extend(tell);
    }

    /// Waits until a read is requested.
    pub(crate) async fn asked(&self) {
        self.bell.notified().await;
    }

    /// Takes up to `most` requests.
    pub(crate) fn take(&self, most: usize) -> Vec<Asked> {
        let mut asked = self.lock();
        let keys: Vec<RunKey> = asked.keys().take(most).copied().collect();
        keys.iter().filter_map(|key| asked.remove(key)).collect()
    }

    /// Puts requests back that could not be served.
    pub(crate) fn put_back(&self, again: Vec<Asked>) {
        let mut asked = self.lock();
        for Asked { core, tell } in again {
            asked.entry(core.about.key).or_insert(Asked { core, tell: Vec::new() }).tell.extend(tell);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunKey, Asked>> {
        lock(&self.asked)
    }
}
