//! The pulse, on PostgreSQL: sends the heartbeats of this executor, and reads those of others.
//!
//! It has a thread, a small runtime and a database session of its own. Steps may compute and block every thread of the program
//! for as long as they like: the lease does not depend on them.

use std::sync::Arc;
use std::time::Duration;

use onward_store::Seat;
use tokio::sync::oneshot;

use super::SWEEP;
use super::silence::Silence;
use crate::executor::Executor;

/// An executor whose heartbeats are acknowledged but which cannot commit for this many leases stops its heartbeats, so that
/// others take its runs over.
const STALLED: u32 = 3;

/// A running pulse. It stops when this is dropped.
pub(super) struct Pulse {
    _stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Pulse {
    /// Starts the thread. A SQLite file has only one executor, which no other one watches: there the pulse does nothing.
    pub(super) fn start(executor: &Arc<Executor>) -> Pulse {
        let (_stop, stopped) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        let of = executor.clone();
        if executor.store.is_shared() {
            let thread = std::thread::Builder::new().name("onward-pulse".to_owned());
            // If the thread cannot be started, `alive` is dropped, which signals that the pulse has ended.
            let started = thread.spawn(move || run(of, stopped, alive));
            started.map_or_else(
                |error| {
                    let error = error.to_string();
                    tracing::error!(target: "onward::executor", error, "the thread for the heartbeats cannot be started");
                },
                drop,
            );
        } else {
            executor.spawn(async move {
                stopped.await.ok();
                drop(alive);
            });
        }
        Pulse { _stop, ended }
    }

    /// Waits until it has ended, which happens only if it fails.
    pub(super) async fn ended(&mut self) {
        (&mut self.ended).await.ok();
    }
}

/// Sends heartbeats until it is stopped. `alive` is dropped with this thread, however it ends.
fn run(executor: Arc<Executor>, stopped: oneshot::Receiver<()>, alive: oneshot::Sender<()>) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(executor.store.clock().clone().task(async move {
            tokio::select! {
                _ = stopped => {}
                () = Beats::new(executor).go_on() => {}
            }
        })),
        Err(error) => {
            let error = error.to_string();
            tracing::error!(target: "onward::executor", error, "the runtime for the heartbeats cannot be started");
        }
    }
    drop(alive);
}

struct Beats {
    executor: Arc<Executor>,
    lease: Duration,
    silence: Silence,
    /// When the last acknowledged heartbeat was sent, in uptime.
    last: Option<Duration>,
    /// Since when heartbeats are acknowledged but commits fail, in uptime.
    stalled: Option<Duration>,
}

impl Beats {
    fn new(executor: Arc<Executor>) -> Beats {
        let lease = executor.options.lease;
        Beats { executor, lease, silence: Silence::default(), last: None, stalled: None }
    }

    /// Sends at least five heartbeats per lease. The pause counts from when a heartbeat was sent, as the lease does: after an answer
    /// that was slow, the next one is sent at once.
    async fn go_on(mut self) {
        let clock = self.executor.store.clock().clone();
        let pause = (self.lease / 5).min(SWEEP);
        loop {
            let began = clock.uptime();
            let seat = self.executor.seat();
            // The heartbeat task replaces a lost seat.
            if !seat.journal.is_closed() {
                self.beat(&seat).await;
            }
            self.read_beats(&seat).await;
            clock.rest(pause.saturating_sub(clock.uptime().saturating_sub(began))).await;
        }
    }

    async fn beat(&mut self, seat: &Seat) {
        let executor = self.executor.clone();
        let sent = executor.store.clock().uptime();
        if self.is_stalled(seat, sent) {
            let message = "the database acknowledges heartbeats but takes no commits: this executor has stopped its \
                           heartbeats, so that others take its runs over";
            return executor.trouble("heartbeat", "beat", message.to_owned());
        }
        match executor.store.beat(&seat.executor).await {
            Ok(true) => {
                executor.gate.extend(sent);
                executor.no_trouble("heartbeat", "beat");
                let gap = self.last.replace(sent).map_or(Duration::ZERO, |last| sent.saturating_sub(last));
                if gap > self.lease / 2 {
                    let lease = self.lease;
                    tracing::warn!(
                        target: "onward::executor",
                        executor = %seat.executor,
                        ?gap,
                        ?lease,
                        "no heartbeat of this executor was acknowledged for half its lease: the machine or the database is slow"
                    );
                }
                if is_failing(seat, self.lease) {
                    self.stalled.get_or_insert(sent);
                }
            }
            Ok(false) => seat.journal.close(),
            Err(error) => {
                // The database accepts no writes at all: other executors could not do better.
                self.stalled = None;
                executor.trouble("heartbeat", "beat", error.message().to_owned());
            }
        }
    }

    /// Whether it has been unable to commit for so long that another executor should have its runs.
    fn is_stalled(&mut self, seat: &Seat, now: Duration) -> bool {
        if !is_failing(seat, self.lease) {
            self.stalled = None;
        }
        self.stalled.is_some_and(|since| now.saturating_sub(since) >= self.lease * STALLED)
    }

    /// Reads which executors live, and the time of the server.
    async fn read_beats(&mut self, seat: &Seat) {
        let executor = &self.executor;
        match executor.store.look_around().await {
            Ok(beats) => {
                let silent = self.silence.observe(&beats, executor.store.clock().uptime(), &seat.executor, self.lease);
                executor.keep_trouble("watcher", |duty| silent.iter().any(|(id, _)| duty.ends_with(id.as_str())));
                if !silent.is_empty() {
                    executor.silent.note(silent);
                }
                // An executor that stopped its heartbeats learns of its death only here.
                if !beats.iter().any(|row| row.executor == seat.executor && !row.dead) {
                    seat.journal.close();
                }
            }
            Err(error) => {
                self.silence.forget();
                executor.trouble("watcher", "look", error.message().to_owned());
            }
        }
    }
}

fn is_failing(seat: &Seat, lease: Duration) -> bool {
    let health = seat.journal.health();
    health.failing.is_some() || health.unanswered > lease
}
