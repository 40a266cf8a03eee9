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
    /// Runs that will be here soon: claimed and being loaded, or children whose creation is on its way.
    coming: Mutex<HashSet<RunKey>>,
    /// Held from before a claim until what was claimed is known to come.
    claiming: tokio::sync::RwLock<()>,
    left: Notify,
}

impl Default for Residents {
    fn default() -> Residents {
        Residents {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            suspects: Mutex::default(),
            coming: Mutex::default(),
            claiming: tokio::sync::RwLock::default(),
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

    /// Held by whoever claims, until what it claimed is [expected](Self::expect).
    pub(crate) async fn claiming(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.claiming.read().await
    }

    /// While this is held nobody claims, so whatever is ours by the tables and [absent](Self::is_absent) is lost.
    pub(crate) async fn nobody_claims(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.claiming.write().await
    }

    /// These runs will be here soon, unless what is returned is dropped.
    pub(crate) fn expect(self: &Arc<Self>, keys: &[RunKey]) -> Expected {
        lock(&self.coming).extend(keys);
        Expected { residents: self.clone(), keys: keys.to_vec() }
    }

    /// Whether nobody here has this run, and nobody is about to.
    pub(crate) fn is_absent(&self, key: RunKey) -> bool {
        !lock(&self.coming).contains(&key) && self.get(key).is_none()
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

/// Runs that will soon be in memory, until this is dropped.
pub(crate) struct Expected {
    residents: Arc<Residents>,
    keys: Vec<RunKey>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut coming = lock(&self.residents.coming);
        for key in &self.keys {
            coming.remove(key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
