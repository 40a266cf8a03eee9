//! Runs whose messages are to be read, and who waits for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onward_types::RunKey;
use tokio::sync::{Notify, oneshot};

use crate::executor::run::core::RunCore;

/// What is asked for by many runs is read at once.
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
            // Whoever asked may have been dropped.
            tell.send(()).ok();
        }
    }
}

impl Post {
    /// Ask for the messages of a run. The answer comes once a read that began after this is in the run's inbox.
    pub(crate) fn ask(&self, core: &Arc<RunCore>) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.note(core, Some(tell));
        self.bell.notify_one();
        told
    }

    /// Something may have been sent to this run.
    pub(crate) fn remind(&self, core: &Arc<RunCore>) {
        self.note(core, None);
    }

    fn note(&self, core: &Arc<RunCore>, tell: Option<oneshot::Sender<()>>) {
        let mut asked = self.lock();
        let of_run = asked.entry(core.about.key).or_insert_with(|| Asked { core: core.clone(), tell: Vec::new() });
        // A run that left and came back is another one.
        of_run.core = core.clone();
        of_run.tell.extend(tell);
    }

    /// Wait until somebody asks.
    pub(crate) async fn asked(&self) {
        self.bell.notified().await;
    }

    /// Some of those who asked.
    pub(crate) fn take(&self, most: usize) -> Vec<Asked> {
        let mut asked = self.lock();
        let keys: Vec<RunKey> = asked.keys().take(most).copied().collect();
        keys.iter().filter_map(|key| asked.remove(key)).collect()
    }

    /// Those who asked and could not be answered ask again.
    pub(crate) fn put_back(&self, again: Vec<Asked>) {
        let mut asked = self.lock();
        for Asked { core, tell } in again {
            asked.entry(core.about.key).or_insert(Asked { core, tell: Vec::new() }).tell.extend(tell);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunKey, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
