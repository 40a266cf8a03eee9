//! The runs that are in memory.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onward_types::RunKey;
use tokio::sync::Notify;

use crate::run::core::RunCore;

/// So many locks share the map, because the journal and every run use it.
const SHARDS: usize = 16;

/// A suspect that has not killed the process within this time makes way for the next one, for there may be thousands, and
/// some have steps that take minutes.
const SUSPECT_FOR: Duration = Duration::from_secs(5);

pub(crate) struct Residents {
    shards: [Mutex<HashMap<RunKey, Arc<RunCore>>>; SHARDS],
    count: AtomicUsize,
    /// Runs that may be what killed the process before, and since when, in uptime, they are here.
    suspects: Mutex<HashMap<RunKey, Duration>>,
    /// Runs that were claimed and are being loaded.
    loading: Mutex<HashSet<RunKey>>,
    left: Notify,
}

impl Default for Residents {
    fn default() -> Residents {
        Residents {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            suspects: Mutex::default(),
            loading: Mutex::default(),
            left: Notify::new(),
        }
    }
}

impl Residents {
    pub(crate) fn insert(&self, core: Arc<RunCore>) {
        if core.suspect {
            lock(&self.suspects).insert(core.key, core.clock().uptime());
        }
        if self.shard(core.key).insert(core.key, core).is_none() {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Take a run out, if it is this very one.
    pub(crate) fn remove(&self, core: &RunCore) {
        let mut shard = self.shard(core.key);
        if shard.get(&core.key).is_some_and(|there| std::ptr::eq(Arc::as_ptr(there), core)) {
            shard.remove(&core.key);
            self.count.fetch_sub(1, Ordering::SeqCst);
            drop(shard);
            self.clear(core);
            self.left.notify_waiters();
        }
    }

    pub(crate) fn get(&self, key: RunKey) -> Option<Arc<RunCore>> {
        self.shard(key).get(&key).cloned()
    }

    pub(crate) fn begin_to_load(&self, keys: &[RunKey]) {
        lock(&self.loading).extend(keys);
    }

    pub(crate) fn end_to_load(&self, keys: &[RunKey]) {
        let mut loading = lock(&self.loading);
        for key in keys {
            loading.remove(key);
        }
    }

    /// Whether nobody here has this run, and nobody is about to.
    pub(crate) fn is_absent(&self, key: RunKey) -> bool {
        !lock(&self.loading).contains(&key) && self.get(key).is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// A run is suspected no more. Says whether it was.
    pub(crate) fn clear(&self, core: &RunCore) -> bool {
        core.suspect && lock(&self.suspects).remove(&core.key).is_some()
    }

    /// Whether a run is here that may be what killed the process before.
    pub(crate) fn has_suspect(&self, uptime: Duration) -> bool {
        let mut suspects = lock(&self.suspects);
        suspects.retain(|_, since| uptime.saturating_sub(*since) < SUSPECT_FOR);
        !suspects.is_empty()
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
