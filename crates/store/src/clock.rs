//! The only source of time: no SQL and no other file reads a clock, so that a test can control the time.
#![expect(clippy::disallowed_methods, reason = "the only source of time for runs")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::Either;
use onward_types::{Timestamp, from_micros, micros};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::activity::{Activity, Busy, Watched};
use crate::sync::lock;

/// An error of the clock up to this many microseconds is left alone: when a thread has to wait between two readings, they may
/// differ by as much.
const TOLERANCE: i64 = 50_000;

/// After this many microseconds without an answer, the server is queried for its time again.
const STALE: i64 = 60_000_000;

/// Reads the time and sleeps. Clones share the same time.
///
/// The time never goes back and never stops. If the clock turns out to be ahead, for example because the machine's clock was
/// set back, it runs at half speed until it is correct again. On PostgreSQL the server's time is the reference, so that all
/// executors of a database agree.
///
/// ```
/// # use std::time::Duration;
/// # use onward_store::Clock;
/// # use onward_types::Timestamp;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
/// let until = clock.now() + Duration::from_secs(60);
/// let sleeping = tokio::spawn({
///     let clock = clock.clone();
///     async move { clock.sleep_until(until).await }
/// });
/// while clock.next_sleeper().is_none() {
///     tokio::task::yield_now().await;
/// }
/// assert_eq!(clock.next_sleeper(), Some(until));
/// clock.advance(Duration::from_secs(60));
/// sleeping.await.unwrap();
/// assert!(Clock::system().now() > clock.now(), "the other kind: the time of this machine");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uuids: Mutex<uuid::timestamp::context::ContextV7>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    System(System),
    Virtual(Virtual),
}

/// A time that a test moves.
#[derive(Debug, Default)]
struct Virtual {
    now: AtomicI64,
    ids: AtomicU64,
    sleepers: Mutex<BTreeMap<(i64, u64), Sleeper>>,
    /// What is in progress, if that is counted.
    activity: Option<Activity>,
}

#[derive(Debug)]
struct Sleeper {
    wake: oneshot::Sender<()>,
    /// The instant at which something is due, if the sleeper knows of one.
    due: Option<Timestamp>,
    /// Whether it may be woken early, to look whether there is anything to do.
    sweeps: bool,
}

/// How far ahead [`Clock::sweep`] wakes those who look periodically: each second most of them do.
const SWEEP: i64 = 1_000_000;

/// Time in microseconds. It advances with the machine's uptime, which cannot be set; only the offset from uptime changes.
#[derive(Debug)]
struct System {
    /// The current offset: the time minus uptime.
    ahead: AtomicI64,
    /// The offset of the server's time, or [`UNKNOWN`].
    fleet: AtomicI64,
    /// The uptime of the last answer from the server.
    heard: AtomicI64,
    /// The latest time that was returned.
    latest: AtomicI64,
    /// While the clock runs at half speed: the uptime of the last correction.
    slewing: Mutex<Option<i64>>,
    machine: Machine,
}

/// The clocks of a machine, in microseconds.
#[derive(Clone, Debug)]
enum Machine {
    /// This one.
    This,
    /// A machine whose clocks a test controls.
    Told(Skew),
}

/// The error of a process's realtime clock, for tests of clock errors. Clones share it.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Skew {
    micros: Arc<AtomicI64>,
    /// If present, the test controls the uptime as well.
    uptime: Option<Arc<AtomicI64>>,
}

impl Skew {
    /// Set the error of the clock, in microseconds.
    pub fn set(&self, micros: i64) {
        self.micros.store(micros, Ordering::SeqCst);
    }
}

impl Machine {
    fn realtime(&self) -> i64 {
        match self {
            Machine::This => micros(Timestamp::now()),
            Machine::Told(Skew { micros: skew, uptime: None }) => {
                micros(Timestamp::now()) + skew.load(Ordering::SeqCst)
            }
            Machine::Told(Skew { micros: skew, uptime: Some(up) }) => {
                up.load(Ordering::SeqCst) + skew.load(Ordering::SeqCst)
            }
        }
    }

    fn uptime(&self) -> i64 {
        match self {
            Machine::Told(Skew { uptime: Some(up), .. }) => up.load(Ordering::SeqCst),
            _ => i64::try_from(uptime().as_micros()).unwrap_or(i64::MAX),
        }
    }
}

impl System {
    fn new(machine: Machine) -> System {
        System {
            ahead: AtomicI64::new(i64::MIN / 2),
            fleet: AtomicI64::new(UNKNOWN),
            heard: AtomicI64::new(i64::MIN / 2),
            latest: AtomicI64::new(i64::MIN),
            slewing: Mutex::default(),
            machine,
        }
    }

    fn now(&self) -> i64 {
        // Read in this order: if the thread is interrupted in between, the clock seems less far ahead, which the tolerance
        // absorbs. In the other order, each interruption would push this process ahead of all others.
        let truth = self.fleet.load(Ordering::SeqCst);
        let time = if truth == UNKNOWN { self.machine.realtime() } else { 0 };
        let up = self.machine.uptime();
        let truth = if truth == UNKNOWN { time.saturating_sub(up) } else { truth };
        let ahead = self.ahead.load(Ordering::SeqCst);
        let ahead = if truth > ahead {
            self.ahead.fetch_max(truth, Ordering::SeqCst).max(truth)
        } else if ahead - truth > TOLERANCE {
            self.slew(up, truth)
        } else {
            ahead
        };
        let now = up.saturating_add(ahead);
        self.latest.fetch_max(now, Ordering::SeqCst).max(now)
    }

    /// Go back towards the truth by half of the time that has passed. Returns the new offset.
    fn slew(&self, up: i64, truth: i64) -> i64 {
        let ahead = self.ahead.load(Ordering::SeqCst);
        // If another thread is correcting the clock, its correction is enough.
        let Ok(mut since) = self.slewing.try_lock() else { return ahead };
        let by = Duration::from_micros((ahead - truth).unsigned_abs());
        let Some(before) = since.replace(up) else {
            tracing::warn!(
                target: "onward::database",
                ?by,
                "the clock was ahead of the correct time: it runs at half speed until it is correct"
            );
            return ahead;
        };
        let less = (ahead - (up - before).max(0) / 2).max(truth);
        self.ahead.store(less, Ordering::SeqCst);
        if less - truth <= TOLERANCE {
            *since = None;
            tracing::info!(target: "onward::database", "the clock is correct again");
        }
        less
    }

    /// The server's time was `at`, at some moment between these two uptimes. An offset that agrees with this is kept, so that
    /// slow answers do not make the clock waver.
    fn learn(&self, at: i64, before: i64, after: i64) {
        let (least, most) = (at.saturating_sub(after), at.saturating_sub(before));
        let known = self.fleet.load(Ordering::SeqCst);
        // Assume that the answer took as long as the request.
        let fleet = if known == UNKNOWN { least.midpoint(most) } else { known.clamp(least, most.max(least)) };
        self.fleet.store(fleet, Ordering::SeqCst);
        self.heard.store(after, Ordering::SeqCst);
    }
}

/// The server's time is not known yet.
const UNKNOWN: i64 = i64::MIN;

impl Clock {
    /// The time of this machine, or the database server's once that is known.
    #[must_use]
    pub fn system() -> Clock {
        Clock::of(Kind::System(System::new(Machine::This)))
    }

    /// The time of a machine with a wrong realtime clock. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn skewed(skew: &Skew) -> Clock {
        Clock::of(Kind::System(System::new(Machine::Told(skew.clone()))))
    }

    /// A time that changes only by [`advance`](Clock::advance).
    #[must_use]
    pub fn virtual_at(start: Timestamp) -> Clock {
        Clock::of(Kind::Virtual(Virtual { now: AtomicI64::new(micros(start)), ..Virtual::default() }))
    }

    /// A virtual time under which it is counted what is in progress: see [`Activity`]. For environments that skip time.
    #[doc(hidden)]
    #[must_use]
    pub fn watched_at(start: Timestamp) -> Clock {
        let activity = Some(Activity::default());
        Clock::of(Kind::Virtual(Virtual { now: AtomicI64::new(micros(start)), activity, ..Virtual::default() }))
    }

    /// What is in progress, if this clock counts that.
    #[doc(hidden)]
    #[must_use]
    pub fn activity(&self) -> Option<&Activity> {
        match &self.0.kind {
            Kind::Virtual(Virtual { activity, .. }) => activity.as_ref(),
            Kind::System(_) => None,
        }
    }

    /// Begin something that keeps the time from being skipped, if anybody skips it.
    #[doc(hidden)]
    #[must_use]
    pub fn busy(&self) -> Option<Busy> {
        self.activity().map(Activity::begin)
    }

    /// A task as it is spawned: with its wake-ups counted, if this clock counts them.
    #[doc(hidden)]
    pub fn task<F: Future<Output: Send> + Send + 'static>(&self, task: F) -> Either<Watched<F::Output>, F> {
        match self.activity() {
            Some(activity) => Either::Left(activity.watch(task)),
            None => Either::Right(task),
        }
    }

    fn of(kind: Kind) -> Clock {
        let uuids = Mutex::new(uuid::timestamp::context::ContextV7::new());
        Clock(Arc::new(Inner { uuids, kind }))
    }

    /// The current time. It never goes back and never stands still, even if the machine's clock is set back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        from_micros(match &self.0.kind {
            Kind::System(system) => system.now(),
            Kind::Virtual(time) => time.now.load(Ordering::SeqCst),
        })
    }

    /// How long this machine has been up, including sleep. Leases are measured with it, because setting the clock or suspending
    /// the machine does not change how much time has passed.
    #[doc(hidden)]
    #[must_use]
    pub fn uptime(&self) -> Duration {
        match &self.0.kind {
            Kind::System(system) => Duration::from_micros(system.machine.uptime().unsigned_abs()),
            Kind::Virtual(time) => Duration::from_micros(time.now.load(Ordering::SeqCst).unsigned_abs()),
        }
    }

    /// Whether the server should be queried for its time, because two clocks may have drifted apart since the last answer.
    /// Returns true to one caller, and again later if no answer arrived.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has no server to ask"))]
    pub(crate) fn is_stale(&self) -> bool {
        let Kind::System(system) = &self.0.kind else { return false };
        let up = system.machine.uptime();
        let before = system.heard.load(Ordering::SeqCst);
        up - before > STALE && system.heard.compare_exchange(before, up, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Learn the database server's time: it was `at`. `before` and `after` are the uptimes of the request and of the answer.
    pub(crate) fn learn(&self, at: Timestamp, before: Duration, after: Duration) {
        if let Kind::System(system) = &self.0.kind {
            let in_micros = |up: Duration| i64::try_from(up.as_micros()).unwrap_or(i64::MAX);
            system.learn(micros(at), in_micros(before), in_micros(after));
        }
    }

    /// A UUIDv7 of the current time, greater than all earlier ones.
    #[doc(hidden)]
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let now = micros(self.now()).max(0).unsigned_abs();
        let context = lock(&self.0.uuids);
        let nanos = u32::try_from(now % 1_000_000 * 1000).expect("less than a second");
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, now / 1_000_000, nanos))
    }

    /// A UUIDv7 of the given time.
    #[doc(hidden)]
    #[must_use]
    pub fn uuid_of(at: Timestamp) -> Uuid {
        let at = micros(at).max(0).unsigned_abs();
        let nanos = u32::try_from(at % 1_000_000 * 1000).expect("less than a second");
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at / 1_000_000, nanos))
    }

    /// Wait until `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0.kind {
            Kind::System(_) => self.sleep_until_really(at).await,
            Kind::Virtual(time) => time.sleep(at, Some(at), false).await,
        }
    }

    /// Wait for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0.kind {
            Kind::System(_) => tokio::time::sleep(duration).await,
            Kind::Virtual(_) => self.sleep_until(add(self.now(), duration)).await,
        }
    }

    /// Wait for `duration` before the next look for work: nothing is due then, so it is no instant to skip to. An environment that
    /// skips time may end the wait early.
    #[doc(hidden)]
    pub async fn rest(&self, duration: Duration) {
        match &self.0.kind {
            Kind::System(_) => tokio::time::sleep(duration).await,
            Kind::Virtual(_) => self.rest_until(add(self.now(), duration), None).await,
        }
    }

    /// Wait until `at`, before the next look for work. At `due`, which may be later, something is to be done.
    #[doc(hidden)]
    pub async fn rest_until(&self, at: Timestamp, due: Option<Timestamp>) {
        match &self.0.kind {
            Kind::System(_) => self.sleep_until_really(at).await,
            Kind::Virtual(time) => time.sleep(at, due, true).await,
        }
    }

    async fn sleep_until_really(&self, at: Timestamp) {
        // A long sleep is cut into hours, so that a clock that is set forward is noticed within an hour.
        loop {
            let left = at.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(3600))).await;
        }
    }

    /// Move a virtual clock forward and wake all sleepers that are due.
    ///
    /// # Panics
    /// If the clock is not virtual.
    pub fn advance(&self, duration: Duration) {
        let Kind::Virtual(time) = &self.0.kind else { panic!("only a virtual clock can be moved") };
        let step = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let mut sleepers = lock(&time.sleepers);
        let then = time.now.load(Ordering::SeqCst).saturating_add(step);
        time.now.store(then, Ordering::SeqCst);
        let later = sleepers.split_off(&(then.saturating_add(1), 0));
        let due = std::mem::replace(&mut *sleepers, later);
        drop(sleepers);
        wake_all(due.into_values());
    }

    /// Wake all who look periodically for work, although no time passes.
    #[doc(hidden)]
    pub fn sweep(&self) {
        let Kind::Virtual(time) = &self.0.kind else { return };
        let until = time.now.load(Ordering::SeqCst).saturating_add(SWEEP);
        let mut sleepers = lock(&time.sleepers);
        let woken: Vec<_> = sleepers.extract_if(..=(until, u64::MAX), |_, sleeper| sleeper.sweeps).collect();
        drop(sleepers);
        wake_all(woken.into_iter().map(|(_, sleeper)| sleeper));
    }

    /// The earliest instant from now on at which something is due, on a virtual clock. Other than [`next_sleeper`](Clock::next_sleeper)
    /// it leaves out those who only look periodically for work.
    #[doc(hidden)]
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let Kind::Virtual(time) = &self.0.kind else { return None };
        let now = self.now();
        let mut sleepers = lock(&time.sleepers);
        sleepers.retain(|_, sleeper| !sleeper.wake.is_closed());
        sleepers.values().filter_map(|sleeper| sleeper.due).filter(|due| *due > now).min()
    }

    /// The earliest time that a task sleeps until, on a virtual clock.
    #[must_use]
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        let Kind::Virtual(time) = &self.0.kind else { return None };
        let mut sleepers = lock(&time.sleepers);
        sleepers.retain(|_, sleeper| !sleeper.wake.is_closed());
        sleepers.keys().next().map(|&(at, _)| from_micros(at))
    }
}

impl Virtual {
    async fn sleep(&self, at: Timestamp, due: Option<Timestamp>, sweeps: bool) {
        let at = micros(at);
        let woken = {
            let mut sleepers = lock(&self.sleepers);
            if self.now.load(Ordering::SeqCst) >= at {
                return;
            }
            let (wake, woken) = oneshot::channel();
            sleepers.insert((at, self.ids.fetch_add(1, Ordering::SeqCst)), Sleeper { wake, due, sweeps });
            woken
        };
        // The sender stays in the map until the time has come, and the map lives as long as the clock.
        woken.await.ok();
    }
}

fn wake_all(sleepers: impl Iterator<Item = Sleeper>) {
    for sleeper in sleepers {
        // A sleeper that was dropped needs no wake-up.
        sleeper.wake.send(()).ok();
    }
}

/// A timeout in microseconds, as it is stored. It is capped at some 70,000 years so that a time plus a timeout cannot overflow:
/// such an error in SQL would stop the claimer, and all other runs with it.
pub(crate) fn timeout_micros(timeout: Duration) -> i64 {
    i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

/// `at` plus `duration`, capped at the last representable instant.
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

#[cfg(test)]
mod tests;
