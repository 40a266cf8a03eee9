//! The one source of time. No SQL and no other file asks for the time, so that a test can move it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onward_types::{Timestamp, from_micros, micros};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Tells the time and waits for it. Clones share one time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// By how much this machine's clock was ahead of its uptime at the most, in microseconds. Time goes at the pace of
    /// uptime: a clock that is set back neither turns it back nor stops it.
    ahead: AtomicI64,
    uuids: Mutex<uuid::timestamp::context::ContextV7>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    System,
    Virtual { now: AtomicI64, ids: AtomicU64, sleepers: Mutex<BTreeMap<(i64, u64), oneshot::Sender<()>>> },
}

impl Clock {
    /// The time of this machine.
    #[must_use]
    pub fn system() -> Clock {
        Clock::of(Kind::System)
    }

    /// A time that stands still until [`advance`](Clock::advance) moves it.
    #[must_use]
    pub fn virtual_at(start: Timestamp) -> Clock {
        let now = AtomicI64::new(micros(start));
        Clock::of(Kind::Virtual { now, ids: AtomicU64::new(0), sleepers: Mutex::default() })
    }

    fn of(kind: Kind) -> Clock {
        let uuids = Mutex::new(uuid::timestamp::context::ContextV7::new());
        Clock(Arc::new(Inner { ahead: AtomicI64::new(i64::MIN), uuids, kind }))
    }

    /// The time. It never goes back and never stands still, even if the machine's clock is set back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        from_micros(match &self.0.kind {
            Kind::System => {
                // In this order: a thread that has to wait in between finds the clock less ahead, and the most is what counts.
                // In the other, each such wait would set this process before all others for good.
                let time = micros(Timestamp::now());
                let up = i64::try_from(uptime().as_micros()).unwrap_or(i64::MAX);
                let ahead = time.saturating_sub(up);
                let most = self.0.ahead.fetch_max(ahead, Ordering::SeqCst).max(ahead);
                up.saturating_add(most)
            }
            Kind::Virtual { now, .. } => now.load(Ordering::SeqCst),
        })
    }

    /// How long this machine has been up, sleep included. Leases are measured with it: a clock that is set, or a laptop
    /// that was shut, changes nothing about how much time has passed.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        match &self.0.kind {
            Kind::System => uptime(),
            Kind::Virtual { now, .. } => Duration::from_micros(now.load(Ordering::SeqCst).unsigned_abs()),
        }
    }

    /// A UUIDv7 of this time, later than every one made before.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let now = micros(self.now()).max(0).unsigned_abs();
        let context = lock(&self.0.uuids);
        let nanos = u32::try_from(now % 1_000_000 * 1000).expect("less than a second");
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, now / 1_000_000, nanos))
    }

    /// A UUIDv7 of another time.
    #[must_use]
    pub fn uuid_of(at: Timestamp) -> Uuid {
        let at = micros(at).max(0).unsigned_abs();
        let nanos = u32::try_from(at % 1_000_000 * 1000).expect("less than a second");
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at / 1_000_000, nanos))
    }

    /// Wait until `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0.kind {
            Kind::System => {
                // A long wait is cut into hours, so that a clock that is set forward is noticed within one.
                loop {
                    let left = at.duration_since(self.now());
                    let Ok(left) = Duration::try_from(left) else { return };
                    if left.is_zero() {
                        return;
                    }
                    tokio::time::sleep(left.min(Duration::from_secs(3600))).await;
                }
            }
            Kind::Virtual { ids, sleepers, .. } => {
                let woken = {
                    let mut sleepers = lock(sleepers);
                    if self.now() >= at {
                        return;
                    }
                    let (wake, woken) = oneshot::channel();
                    sleepers.insert((micros(at), ids.fetch_add(1, Ordering::SeqCst)), wake);
                    woken
                };
                // The sender lives in the map until the time has come, and the map as long as the clock.
                woken.await.ok();
            }
        }
    }

    /// Wait for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0.kind {
            Kind::System => tokio::time::sleep(duration).await,
            Kind::Virtual { .. } => self.sleep_until(add(self.now(), duration)).await,
        }
    }

    /// Move a virtual clock forward and wake whoever waits for a time up to then.
    ///
    /// # Panics
    /// On a clock that is not virtual: nobody can move that one.
    pub fn advance(&self, duration: Duration) {
        let Kind::Virtual { now, sleepers, .. } = &self.0.kind else { panic!("only a virtual clock can be moved") };
        let step = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let mut sleepers = lock(sleepers);
        let then = now.load(Ordering::SeqCst).saturating_add(step);
        now.store(then, Ordering::SeqCst);
        let later = sleepers.split_off(&(then + 1, 0));
        for (_, sleeper) in std::mem::replace(&mut *sleepers, later) {
            // A sleeper that was dropped needs no waking.
            sleeper.send(()).ok();
        }
    }

    /// The earliest time that somebody waits for on a virtual clock.
    #[must_use]
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        let Kind::Virtual { sleepers, .. } = &self.0.kind else { return None };
        let mut sleepers = lock(sleepers);
        sleepers.retain(|_, sleeper| !sleeper.is_closed());
        sleepers.keys().next().map(|&(at, _)| from_micros(at))
    }
}

/// A timeout in microseconds, as tables have it. The longest, of some ten thousand years, is such that a time and a timeout can be
/// added: a sum that no database can have would stop whoever claims the run, and all others with it.
pub(crate) fn timeout_micros(timeout: Duration) -> i64 {
    i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

/// `at` plus `duration`, or the last instant there is.
#[must_use]
pub fn add(at: Timestamp, duration: Duration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn uptime() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_was_passed() {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(86_400)).await }
        });
        while clock.next_sleeper().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(86_399));
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }

    #[test]
    fn uuids_sort_by_the_order_in_which_they_were_made() {
        let clock = Clock::system();
        let made: Vec<Uuid> = (0..1000).map(|_| clock.uuid()).collect();
        assert!(made.is_sorted());
    }
}
