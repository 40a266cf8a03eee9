//! Executors: joining, heartbeats, leaving, and recovering the runs of dead executors.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use onward_types::{Error, ExecutorId, ExecutorRecord, RunKey};

use super::db::Db;
use super::{Store, steering};
use crate::driver::sqlite::ExecutorLock;
use crate::fault::{Cure, Fault};
use crate::journal::Journal;
use crate::ops::executors::{Beat, NewExecutor};
use crate::ops::recover::{Recovered, RecoveryLimits};
use crate::ops::{executors, moves, recover};
use crate::signal::Signal;
use crate::sync::lock;

/// On SQLite, the interval between sweeps for missed wake-ups.
const SWEEP_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// An executor's registration: the right to execute runs, and the journal through which it writes.
pub struct Seat {
    /// The id of the executor.
    pub executor: ExecutorId,
    /// The executor's journal.
    pub journal: Journal,
    /// On SQLite, the lock on the file, held until the seat is given up.
    lock: Mutex<Option<Arc<ExecutorLock>>>,
}

impl Seat {
    /// Give up the seat: no batch is written any more, and on SQLite another process may execute the runs.
    pub fn give_up(&self) {
        self.journal.close();
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<ExecutorLock>>> {
        lock(&self.lock)
    }
}

impl Store {
    /// Register a new executor of this database under a new id. It is declared dead if it sends no heartbeat for the duration
    /// of its lease. `before` is the caller's previous seat; on SQLite its lock is kept.
    ///
    /// # Errors
    /// On SQLite [`Code::Busy`](onward_types::Code::Busy) while another process holds the only seat.
    pub async fn join(&self, workflows: Vec<String>, lease: Duration, before: Option<&Seat>) -> Result<Seat, Error> {
        let _busy = self.clock.busy();
        let lock = match (&self.db, before) {
            (_, Some(seat)) => seat.lock().clone(),
            (Db::Sqlite(sqlite), None) => sqlite.lock_executor()?.map(Arc::new),
            #[cfg(feature = "postgres")]
            (Db::Postgres(_), None) => None,
        };
        let executor = ExecutorId::new(self.clock.uuid().simple().to_string());
        let new = NewExecutor { id: executor.clone(), workflows, lease };
        let now = self.clock.now();
        let alone = !self.is_shared();
        self.write("executors.join", new, move |tx, new| {
            Box::pin(async move {
                if alone {
                    executors::declare_all_dead(tx).await?;
                }
                executors::join(tx, new, now).await?;
                moves::check(tx).await
            })
        })
        .await?;
        let journal = match &self.db {
            Db::Sqlite(sqlite) => sqlite.journal(executor.clone(), &self.clock),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.journal(executor.clone()).await?,
        };
        let journal = journal.sealed_by(self.sealer.clone());
        Ok(Seat { executor, journal, lock: Mutex::new(lock) })
    }

    /// Write a heartbeat. `false`: the executor was declared dead and must join again.
    ///
    /// # Errors
    /// If the database cannot be reached; this does not mean that the executor is dead.
    pub async fn beat(&self, executor: &ExecutorId) -> Result<bool, Error> {
        let beat = self.try_beat("executors.beat", executor.clone(), |tx, of| Box::pin(executors::beat(tx, of)));
        Ok(beat.await?)
    }

    /// The heartbeats of all executors, read on the heartbeat session; the clock also learns the server's time. Empty on
    /// SQLite, where there is only one executor and it uses its own clock.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn look_around(&self) -> Result<Vec<Beat>, Error> {
        if !self.is_shared() {
            return Ok(Vec::new());
        }
        let before = self.clock.uptime();
        let (beats, at) = self.try_beat("executors.beats", (), |tx, ()| Box::pin(executors::beats(tx))).await?;
        if let Some(at) = at {
            self.clock.learn(at, before, self.clock.uptime());
        }
        Ok(beats)
    }

    /// All executors that have not left.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn executors(&self) -> Result<Vec<ExecutorRecord>, Error> {
        self.read("executors.list", (), |tx, ()| Box::pin(executors::list(tx))).await
    }

    /// Declare an executor dead unless it has sent a heartbeat since `beat`. Ends its sessions if they hold its fence.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn declare_dead(&self, executor: &ExecutorId, beat: i64) -> Result<bool, Error> {
        let declare = || {
            self.try_write("executors.declare_dead", executor.clone(), move |tx, executor| {
                Box::pin(executors::declare_dead(tx, executor, beat))
            })
        };
        match declare().await {
            Err(fault) if fault.cure == Cure::TryAgain => {
                self.write("executors.end_sessions", executor.clone(), |tx, executor| {
                    Box::pin(executors::end_sessions(tx, executor))
                })
                .await?;
                Ok(declare().await?)
            }
            declared => Ok(declared?),
        }
    }

    /// Release one chunk of runs whose executor is dead or gone, and give up those that have used up their recoveries. Repeat until
    /// nothing is released.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn release_orphans(&self, limits: &RecoveryLimits) -> Result<Recovered, Error> {
        let now = self.clock.now();
        let release = self.write("recover.release_orphans", limits.clone(), move |tx, limits| {
            Box::pin(recover::release_orphans(tx, limits, now))
        });
        let (mut recovered, cancelled) = release.await?;
        if recovered.total() == 0 && cancelled {
            recovered = self.let_go_of_stopped().await?;
        }
        if recovered.total() > 0 {
            self.tell(Signal::Look);
        }
        Ok(recovered)
    }

    /// Release the runs of dead executors that were cancelled, or paused with their children. A run that is blocked by a locked
    /// child does not hold up the others.
    async fn let_go_of_stopped(&self) -> Result<Recovered, Error> {
        let now = self.clock.now();
        let mut all = Recovered::default();
        let mut after = RunKey(uuid::Uuid::nil());
        loop {
            let keys =
                self.read("recover.stopped_orphans", after, |tx, after| Box::pin(recover::stopped_orphans(tx, *after)));
            let keys = keys.await?;
            let Some(last) = keys.last() else { return Ok(all) };
            after = *last;
            let let_go = |keys: Vec<RunKey>| -> BoxFuture<'_, Result<u64, Fault>> {
                Box::pin(self.try_write("recover.let_go_of_stopped", keys, move |tx, keys| {
                    Box::pin(recover::let_go_of_stopped(tx, keys, now))
                }))
            };
            let (done, faults) = steering::one_for_all(keys, let_go).await;
            all.let_go += usize::try_from(done.into_iter().sum::<u64>()).unwrap_or(usize::MAX);
            all.left += faults.len();
            all.why = faults.last().map(|fault| fault.error.message().to_owned()).or(all.why);
        }
    }

    /// Declare an executor dead at once, whatever its heartbeats say. For tests that lose one.
    ///
    /// # Errors
    /// If the database cannot be reached.
    #[doc(hidden)]
    pub async fn bury(&self, executor: &ExecutorId) -> Result<(), Error> {
        loop {
            let beats = self.look_around().await?;
            let Some(last) = beats.iter().find(|row| row.executor == *executor && !row.dead) else { return Ok(()) };
            if self.declare_dead(executor, last.beat).await? {
                return Ok(());
            }
        }
    }

    /// Delete dead executors that own no runs any more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn forget_dead(&self) -> Result<(), Error> {
        self.write("executors.forget", (), |tx, ()| Box::pin(executors::forget(tx))).await
    }

    /// Wake parked runs whose wait is over but whose wake-up was missed.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn wake_missed(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let missed = self.read("recover.missed", now, |tx, now| Box::pin(recover::missed(tx, *now))).await?;
        if missed.is_empty() {
            return Ok(0);
        }
        self.write("recover.wake_missed", missed, move |tx, missed| Box::pin(recover::wake_missed(tx, missed, now)))
            .await
    }

    /// Like [`wake_missed`](Store::wake_missed), as often as it is worthwhile: every time on PostgreSQL, where a wake-up skips
    /// rows that another session has locked; on SQLite at first and then once a minute, since its writers run one after another
    /// and miss nothing.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn sweep_missed(&self) -> Result<u64, Error> {
        if !self.is_shared() {
            let now = self.clock.uptime();
            let mut next = lock(&self.next_sweep);
            if now < *next {
                return Ok(0);
            }
            *next = now + SWEEP_AGAIN_AFTER;
        }
        self.wake_missed().await
    }

    /// Leave: the runs that the executor still owns may be claimed at once.
    ///
    /// # Errors
    /// If the database cannot be reached; then the runs are recovered when the lease expires.
    pub async fn leave(&self, seat: &Seat) -> Result<(), Error> {
        seat.journal.close();
        let given = (seat.executor.clone(), self.clock.now());
        let leave = self.write("executors.leave", given, |tx, (of, now)| Box::pin(executors::leave(tx, of, *now)));
        let left = leave.await;
        let put_away = match &self.db {
            Db::Sqlite(sqlite) => sqlite.put_away().await,
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Ok(()),
        };
        seat.give_up();
        self.tell_others().await;
        left.and(put_away.map_err(Error::from))
    }

    /// The runs that were revoked from an executor and that it has not released yet.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn revoked(&self, executor: &ExecutorId) -> Result<Vec<RunKey>, Error> {
        self.read("executors.revoked", executor.clone(), |tx, of| Box::pin(executors::revoked(tx, of))).await
    }

    /// The runs that an executor owns, except revoked ones.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn owned(&self, executor: &ExecutorId) -> Result<Vec<RunKey>, Error> {
        self.read("executors.owned", executor.clone(), |tx, of| Box::pin(executors::owned(tx, of))).await
    }
}
