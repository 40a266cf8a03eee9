//! The runs that are in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onward_types::RunKey;
use tokio::sync::Notify;

use crate::run::core::RunCore;

/// So many locks share the map, because the journal and every run use it.
const SHARDS: usize = 16;

pub(crate) struct Residents {
    shards: [Mutex<HashMap<RunKey, Arc<RunCore>>>; SHARDS],
    count: AtomicUsize,
    suspects: AtomicUsize,
    left: Notify,
}

impl Default for Residents {
    fn default() -> Residents {
        Residents {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            suspects: AtomicUsize::new(0),
            left: Notify::new(),
        }
    }
}

impl Residents {
    pub(crate) fn insert(&self, core: Arc<RunCore>) {
        let suspect = core.suspect;
        if self.shard(core.key).insert(core.key, core).is_none() {
            self.count.fetch_add(1, Ordering::SeqCst);
            if suspect {
                self.suspects.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Take a run out, if it is this very one.
    pub(crate) fn remove(&self, core: &RunCore) {
        let mut shard = self.shard(core.key);
        if shard.get(&core.key).is_some_and(|there| std::ptr::eq(Arc::as_ptr(there), core)) {
            shard.remove(&core.key);
            self.count.fetch_sub(1, Ordering::SeqCst);
            if core.suspect {
                self.suspects.fetch_sub(1, Ordering::SeqCst);
            }
            drop(shard);
            self.left.notify_waiters();
        }
    }

    pub(crate) fn get(&self, key: RunKey) -> Option<Arc<RunCore>> {
        self.shard(key).get(&key).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Runs that may be what killed the process before.
    pub(crate) fn suspects(&self) -> usize {
        self.suspects.load(Ordering::SeqCst)
    }

    pub(crate) fn all(&self) -> Vec<Arc<RunCore>> {
        self.shards.iter().flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Wait until no run is in memory.
    pub(crate) async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            if self.len() == 0 {
                return;
            }
            left.await;
        }
    }

    fn shard(&self, key: RunKey) -> MutexGuard<'_, HashMap<RunKey, Arc<RunCore>>> {
        // The last byte of a UUIDv7 is random.
        lock(&self.shards[usize::from(key.as_bytes()[15]) % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
