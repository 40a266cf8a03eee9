//! What the tests share: an executor that can be lost and come back, a clock that can be moved, and counters for bodies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onward::prelude::*;
use onward::{Builder, Clock};
use onward_testkit::TestDatabase;

/// Something that has not come by then hangs. The watchdog of a test strikes a little later, and says less.
const GIVE_UP: Duration = Duration::from_secs(90);

/// A wake-up that has not come by then is lost.
const LOST: Duration = Duration::from_secs(45);

/// A little time, which passes between two looks.
const LITTLE: Duration = Duration::from_millis(200);

/// So often time waits for an executor that is behind; one that is still behind then is meant to be.
const LOOKS: usize = 500;

/// A database, a time, and how the executor is opened on them.
pub(crate) struct House {
    pub(crate) db: TestDatabase,
    pub(crate) clock: Clock,
    build: Box<dyn Fn(Builder) -> Builder + Send + Sync>,
    pub(crate) onward: Onward,
    pub(crate) log: Log,
}

/// How often each body ran. Shared by all lives of the executor, as the world outside would be.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<HashMap<String, usize>>>);

impl Log {
    /// A body ran.
    pub(crate) fn ran(&self, name: &str) -> usize {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// How often it did.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.0.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl House {
    /// Open an executor on a virtual clock.
    pub(crate) async fn open(db: TestDatabase, build: impl Fn(Builder) -> Builder + Send + Sync + 'static) -> House {
        House::open_with(db, move |builder, _| build(builder)).await
    }

    /// Open an executor on a virtual clock that its bodies may want to know.
    pub(crate) async fn open_with(
        db: TestDatabase,
        build: impl Fn(Builder, Clock) -> Builder + Send + Sync + 'static,
    ) -> House {
        let clock = Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        let log = Log::default();
        let builder = Onward::open(db.url.clone()).clock(clock.clone()).state(log.clone());
        let time = clock.clone();
        let build = move |builder| build(builder, time.clone());
        let onward = build(builder).launch().await.unwrap();
        House { db, clock, build: Box::new(build), onward, log }
    }

    /// The executor is lost without a word, and another one comes up.
    pub(crate) async fn lose_executor(&mut self) {
        self.lose_executor_for(|builder| builder).await;
    }

    /// The executor is lost, and what comes up is built differently.
    pub(crate) async fn lose_executor_for(&mut self, change: impl Fn(Builder) -> Builder) {
        let nobody = Onward::open("sqlite::memory:").launch().await.unwrap();
        drop(std::mem::replace(&mut self.onward, nobody));
        let builder = Onward::open(self.db.url.clone()).clock(self.clock.clone()).state(self.log.clone());
        self.onward = change((self.build)(builder)).launch().await.unwrap();
        // On PostgreSQL the dead one is noticed once its lease is over.
        for _ in 0..8 {
            self.pass(Duration::from_secs(1)).await;
        }
        let alive = self.onward.executor_id();
        let noticed = async || {
            let executors = self.onward.executors().await.unwrap();
            executors.iter().all(|executor| executor.dead || executor.id == alive)
        };
        self.until("the lost one is noticed", noticed).await;
    }

    /// The executor shuts down, and another one comes up at the same time.
    pub(crate) async fn hand_over(&mut self) {
        let builder = Onward::open(self.db.url.clone()).clock(self.clock.clone()).state(self.log.clone());
        self.onward.shutdown(Duration::ZERO).await.unwrap();
        let nobody = Onward::open("sqlite::memory:").launch().await.unwrap();
        drop(std::mem::replace(&mut self.onward, nobody));
        self.onward = (self.build)(builder).launch().await.unwrap();
    }

    /// Let time pass, and the tasks of the executor with it.
    pub(crate) async fn pass(&self, duration: Duration) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.clock.advance(duration);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// Let seconds pass until something is so.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, is_so: impl Fn() -> F) {
        let began = std::time::Instant::now();
        let mut behind = 0;
        while began.elapsed() < GIVE_UP {
            if is_so().await {
                return;
            }
            behind = if self.is_behind() { behind + 1 } else { 0 };
            if behind == 0 || behind > LOOKS {
                self.clock.advance(LITTLE);
            }
            // Real time for threads and sockets; what is waited for is the fact above.
            onward_testkit::between_looks().await;
        }
        panic!("it never came to be that {what}: {:#?}", self.reasons().await);
    }

    /// Whether the executor has not renewed its lease for a while. On a busy machine the virtual time runs away from it, and where
    /// the clock stands still afterwards nothing would bring it back.
    fn is_behind(&self) -> bool {
        self.onward.metrics().heartbeat_age.is_some_and(|age| age > Duration::from_millis(1_500))
    }

    /// Wait until the executor has renewed its lease or joined again, if it can.
    async fn catch_up<T>(&self, done: T) -> T {
        for look in 1..LOOKS {
            if !self.is_behind() {
                break;
            }
            if look % 20 == 0 {
                self.clock.advance(LITTLE);
            }
            onward_testkit::between_looks().await;
        }
        done
    }

    /// Wait until something is so while the clock stands still: no sweep comes by, so a wake-up that is lost stays lost.
    pub(crate) async fn becomes<F: Future<Output = bool>>(&self, what: &str, is_so: impl Fn() -> F) {
        let began = std::time::Instant::now();
        while !is_so().await {
            assert!(
                began.elapsed() < LOST,
                "nobody was woken, or it never came to be that {what}: {:#?}",
                self.reasons().await
            );
            onward_testkit::between_looks().await;
        }
    }

    /// What each run waits for: what a test that fails has to say.
    async fn reasons(&self) -> Vec<String> {
        let runs = self.onward.list(onward::Filter::default()).await.unwrap().items;
        let (trouble, age) = (self.onward.trouble(), self.onward.metrics().heartbeat_age);
        runs.iter()
            .map(|run| {
                format!(
                    "{} {} {}: {} {trouble:?}, last heartbeat {age:?} ago",
                    run.id, run.workflow, run.status, run.reason
                )
            })
            .collect()
    }

    /// Let time pass until this is done: little by little, and, less and less often, far.
    ///
    /// Each leap is longer than a lease, so the executor loses its seat. On a busy machine it needs the pauses in between.
    pub(crate) async fn done<T>(&self, work: impl Future<Output = T>) -> T {
        let mut leaps = [hours(1), days(1), days(30)].into_iter().chain(std::iter::repeat(days(365)));
        let (mut turns, mut next_leap) = (0, 40);
        let began = std::time::Instant::now();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => break self.catch_up(done).await,
                () = onward_testkit::between_looks() => self.clock.advance(LITTLE),
            }
            turns += 1;
            if turns == next_leap {
                self.clock.advance(leaps.next().unwrap_or_default());
                next_leap *= 2;
            }
            assert!(began.elapsed() < GIVE_UP, "it is never done: {:#?}", self.reasons().await);
        }
    }
}
