//! The runs that are in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use onward_types::RunKey;
use tokio::sync::Notify;

use crate::executor::run::core::RunCore;
use crate::sync::lock;

/// The map is split over this many locks, because the journal and every run use it.
const SHARDS: usize = 16;

/// A wave of suspects that has not killed the process after this long makes way for the next one: there may be thousands of
/// suspects, and some have steps that take minutes.
const SUSPECT_FOR: Duration = Duration::from_secs(5);
/// The maximum number of suspects in a wave.
const WAVE_MAX: u32 = 1_024;

pub(crate) struct Residents {
    shards: [Mutex<HashMap<RunKey, Arc<RunCore>>>; SHARDS],
    count: AtomicUsize,
    suspects: Mutex<Suspects>,
    /// Runs that will soon be in memory, with a count: claimed and being loaded, or children whose creation is not answered
    /// yet. A run that is parked and claimed again while an earlier load of it is in progress counts twice.
    coming: Mutex<HashMap<RunKey, usize>>,
    claims: Mutex<Claims>,
    claim_ended: Notify,
    left: Notify,
}

/// Runs that may have killed the process before. They are loaded in waves, and each wave that does no harm doubles the size of
/// the next: one at a time, ten thousand harmless runs would take half a day.
struct Suspects {
    /// The runs of the current wave, and since when they are loaded, in uptime.
    here: HashMap<RunKey, Duration>,
    /// The size of a wave.
    wave: u32,
    /// Whether a wave of this size was loaded.
    came: bool,
}

/// Claims by number, in the order in which they began.
#[derive(Default)]
struct Claims {
    begun: u64,
    under_way: BTreeSet<u64>,
}

impl Default for Residents {
    fn default() -> Residents {
        Residents {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            suspects: Mutex::new(Suspects { here: HashMap::new(), wave: 1, came: false }),
            coming: Mutex::default(),
            claims: Mutex::default(),
            claim_ended: Notify::new(),
            left: Notify::new(),
        }
    }
}

impl Residents {
    /// Adds a run to memory. False: an earlier `RunCore` of the run has not left, so this one must not begin.
    #[must_use]
    pub(crate) fn insert(&self, core: Arc<RunCore>) -> bool {
        let mut shard = self.shard(core.about.key);
        match shard.get(&core.about.key) {
            Some(there) if !there.has_left() => return false,
            Some(_) => {}
            None => drop(self.count.fetch_add(1, Ordering::SeqCst)),
        }
        if core.about.suspect {
            lock(&self.suspects).note([core.about.key], core.clock().uptime());
        }
        shard.insert(core.about.key, core);
        true
    }

    /// Whether this run is in memory and has not left.
    pub(crate) fn has(&self, key: RunKey) -> bool {
        self.get(key).is_some_and(|there| !there.has_left())
    }

    /// Removes a run, if the map still has this `RunCore`.
    pub(crate) fn remove(&self, core: &RunCore) {
        let mut shard = self.shard(core.about.key);
        if shard.get(&core.about.key).is_some_and(|there| std::ptr::eq(Arc::as_ptr(there), core)) {
            shard.remove(&core.about.key);
            self.count.fetch_sub(1, Ordering::SeqCst);
            drop(shard);
            self.clear(core);
            self.left.notify_waiters();
        }
    }

    pub(crate) fn get(&self, key: RunKey) -> Option<Arc<RunCore>> {
        self.shard(key).get(&key).cloned()
    }

    /// Begins a claim. It ends when the returned guard is dropped, which must be kept until the claimed runs are
    /// [expected](Self::expect).
    pub(crate) fn claiming(&self) -> Claiming<'_> {
        let mut claims = lock(&self.claims);
        claims.begun += 1;
        let number = claims.begun;
        claims.under_way.insert(number);
        Claiming { residents: self, number }
    }

    /// Waits until every claim that is in progress now has ended and its runs are expected. Does not block claims. False: it
    /// takes too long.
    pub(crate) async fn claims_ended(&self, within: Duration) -> bool {
        let latest = lock(&self.claims).begun;
        let ended = async {
            loop {
                let ended = self.claim_ended.notified();
                if lock(&self.claims).under_way.first().is_none_or(|first| *first > latest) {
                    return;
                }
                ended.await;
            }
        };
        onward_store::real_time::timeout(within, ended).await.is_ok()
    }

    /// These runs will soon be in memory, until the returned guard is dropped.
    pub(crate) fn expect(self: &Arc<Self>, keys: &[RunKey]) -> Expected {
        let mut coming = lock(&self.coming);
        for key in keys {
            *coming.entry(*key).or_default() += 1;
        }
        Expected { residents: self.clone(), keys: keys.to_vec() }
    }

    /// Whether this run is not in memory and not about to be.
    pub(crate) fn is_absent(&self, key: RunKey) -> bool {
        !lock(&self.coming).contains_key(&key) && self.get(key).is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Stops suspecting a run. Returns whether it was a suspect.
    pub(crate) fn clear(&self, core: &RunCore) -> bool {
        core.about.suspect && lock(&self.suspects).here.remove(&core.about.key).is_some()
    }

    /// How many suspects may be loaded now: none while a wave is in progress.
    pub(crate) fn suspects_wanted(&self, uptime: Duration) -> u32 {
        lock(&self.suspects).wanted(uptime)
    }

    /// These suspects were claimed.
    pub(crate) fn suspects_come(&self, keys: &[RunKey], uptime: Duration) {
        lock(&self.suspects).note(keys.iter().copied(), uptime);
    }

    pub(crate) fn all(&self) -> Vec<Arc<RunCore>> {
        self.shards.iter().flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Waits until no run is in memory.
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

impl Suspects {
    fn wanted(&mut self, uptime: Duration) -> u32 {
        self.here.retain(|_, since| uptime.saturating_sub(*since) < SUSPECT_FOR);
        if !self.here.is_empty() {
            return 0;
        }
        if std::mem::take(&mut self.came) {
            self.wave = (self.wave * 2).min(WAVE_MAX);
        }
        self.wave
    }

    fn note(&mut self, keys: impl IntoIterator<Item = RunKey>, uptime: Duration) {
        for key in keys {
            self.came = true;
            self.here.entry(key).or_insert(uptime);
        }
    }
}

/// A claim in progress, until this is dropped.
pub(crate) struct Claiming<'a> {
    residents: &'a Residents,
    number: u64,
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        lock(&self.residents.claims).under_way.remove(&self.number);
        self.residents.claim_ended.notify_waiters();
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
            if let Some(count) = coming.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    coming.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use futures_util::FutureExt;

    use super::*;
    use crate::executor::run::ctx::Ctx;

    #[test]
    fn a_run_that_is_expected_twice_is_expected_until_both_have_ended() {
        let residents = Arc::new(Residents::default());
        let key = Ctx::detached().core.about.key;
        let claimed_first = residents.expect(&[key]);
        let claimed_again = residents.expect(&[key]);
        drop(claimed_first);
        assert!(!residents.is_absent(key), "the second claim still brings it");
        drop(claimed_again);
        assert!(residents.is_absent(key));
    }

    #[test]
    fn a_run_that_has_not_left_is_replaced_by_nothing() {
        let residents = Residents::default();
        let first = Ctx::detached().core;
        assert!(residents.insert(first.clone()));
        assert!(!residents.insert(first.clone()), "a second life of a run that is here");
        assert_eq!(residents.len(), 1);
        residents.remove(&first);
        assert!(residents.insert(first));
    }

    #[test]
    fn suspects_come_in_waves_that_double_while_nothing_crashes() {
        let mut suspects = Suspects { here: HashMap::new(), wave: 1, came: false };
        let mut uptime = Duration::from_secs(100);
        let mut waves = Vec::new();
        for _ in 0..12 {
            let wanted = suspects.wanted(uptime);
            waves.push(wanted);
            suspects.note((0..wanted).map(|_| RunKey(uuid::Uuid::now_v7())), uptime);
            assert_eq!(suspects.wanted(uptime), 0, "a wave is under way");
            uptime += SUSPECT_FOR;
        }
        assert_eq!(waves, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]);
        suspects.wanted(uptime);
        assert_eq!(suspects.wanted(uptime), 1024, "only a wave that came lets the next one grow");
    }

    #[tokio::test]
    async fn who_compares_waits_for_the_claims_under_way_and_no_claim_waits_for_it() {
        let residents = Residents::default();
        let blocked = residents.claiming();
        let mut compares = Box::pin(residents.claims_ended(Duration::from_secs(60)));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(compares.poll_unpin(&mut cx), Poll::Pending);
        // It begins now, and `claims_ended` does not wait for it.
        let later = residents.claiming();
        drop(blocked);
        assert!(compares.await);
        assert!(!residents.claims_ended(Duration::ZERO).await, "the later one is under way still");
        drop(later);
        assert!(residents.claims_ended(Duration::ZERO).await);
    }
}
