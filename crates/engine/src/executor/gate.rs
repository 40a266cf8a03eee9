//! The gate that every step body passes before it starts. It closes by itself when no heartbeat was acknowledged for one lease:
//! from then on another executor may own the runs. A machine that was frozen finds the gate closed when it wakes up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use onward_store::Clock;

use crate::sync::lock;

pub(crate) struct Gate {
    clock: Clock,
    lease: Duration,
    /// False on SQLite: no other executor can take over while this process has the file.
    guarded: bool,
    /// Until when the gate is open, in microseconds of uptime.
    open_until: AtomicU64,
    shut: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    pub(crate) fn new(clock: Clock, lease: Duration, guarded: bool) -> Gate {
        let gate = Gate {
            clock,
            lease,
            guarded,
            open_until: AtomicU64::new(0),
            shut: AtomicBool::new(false),
            waiting: Mutex::default(),
        };
        gate.extend(gate.clock.uptime());
        gate
    }

    /// A heartbeat that was sent at `sent` was acknowledged. The lease counts from `sent` and not from the answer, as other
    /// executors count it.
    pub(crate) fn extend(&self, sent: Duration) {
        let until = micros(sent + self.lease);
        self.open_until.fetch_max(until, Ordering::SeqCst);
        for waker in std::mem::take(&mut *self.lock()) {
            waker.wake();
        }
    }

    /// How long ago the last heartbeat was sent that was acknowledged. `None` where there are no heartbeats.
    pub(crate) fn age(&self) -> Option<Duration> {
        let sent = Duration::from_micros(self.open_until.load(Ordering::SeqCst)).saturating_sub(self.lease);
        self.guarded.then(|| self.clock.uptime().saturating_sub(sent))
    }

    /// Closes the gate for good: the executor shuts down.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    /// Whether a body may start; if not, `waker` is woken when it may.
    pub(crate) fn is_open(&self, waker: &Waker) -> bool {
        if self.may_pass() {
            return true;
        }
        let mut waiting = self.lock();
        waiting.retain(|other| !other.will_wake(waker));
        waiting.push(waker.clone());
        drop(waiting);
        self.may_pass()
    }

    fn may_pass(&self) -> bool {
        if self.shut.load(Ordering::SeqCst) {
            return false;
        }
        !self.guarded || micros(self.clock.uptime()) < self.open_until.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        lock(&self.waiting)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use onward_types::Timestamp;

    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn gate(guarded: bool) -> (Gate, Clock) {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        (Gate::new(clock.clone(), LEASE, guarded), clock)
    }

    #[test]
    fn an_executor_whose_lease_is_over_starts_nothing_until_it_has_beaten() {
        let (gate, clock) = gate(true);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        clock.advance(LEASE - Duration::from_millis(1));
        assert!(gate.is_open(&waker));
        clock.advance(Duration::from_millis(1));
        assert!(!gate.is_open(&waker), "another executor may own its runs");
        assert!(!woken.0.load(Ordering::SeqCst));
        gate.extend(clock.uptime());
        assert!(woken.0.load(Ordering::SeqCst) && gate.is_open(&waker));
    }

    #[test]
    fn the_age_of_a_beat_counts_from_when_it_was_sent() {
        let (gate, clock) = gate(true);
        assert_eq!(gate.age(), Some(Duration::ZERO));
        let sent = clock.uptime();
        clock.advance(Duration::from_secs(3));
        assert_eq!(gate.age(), Some(Duration::from_secs(3)));
        gate.extend(sent + Duration::from_secs(2));
        assert_eq!(gate.age(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_lease_counts_from_when_the_beat_was_sent() {
        let (gate, clock) = gate(true);
        let sent = clock.uptime();
        // The answer comes late.
        clock.advance(LEASE);
        gate.extend(sent);
        assert!(!gate.is_open(Waker::noop()));
    }

    #[test]
    fn a_sqlite_file_has_one_executor_and_its_gate_stays_open() {
        let (gate, clock) = gate(false);
        clock.advance(LEASE * 100);
        assert!(gate.is_open(Waker::noop()));
        gate.shut();
        assert!(!gate.is_open(Waker::noop()), "it shuts down");
    }
}
