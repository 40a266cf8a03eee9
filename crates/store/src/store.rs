//! A store: one database, of either kind, and what can be asked of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use onward_types::{Error, ExecutorId, Filter, Page, RunId, RunKey, RunRecord, StepFilter, StepRecord};
use tokio::sync::broadcast;
use tracing::Instrument;

use crate::change::Existing;
use crate::clock::Clock;
use crate::codec::{Codec, Sealer};
#[cfg(feature = "postgres")]
use crate::driver::postgres::Postgres;
use crate::driver::sqlite::{ExecutorLock, Place, Sqlite};
use crate::driver::transaction::{OpenTransaction, Owner, Session};
use crate::driver::{Transact, Tx};
use crate::fault::{Cure, Fault};
use crate::journal::Journal;
use crate::migrate::Tables;
use crate::ops::claim::{Claim, Waiting};
use crate::ops::executors::{Beat, ExecutorRow, NewExecutor};
use crate::ops::known::Known;
use crate::ops::recover::Recovered;
use crate::ops::runs::{Ends, Stray};
use crate::ops::{claim, executors, list, moves, recover, runs, steer, transactions};
use crate::records::{History, Outcome};
use crate::signal::Signal;
use crate::url::DatabaseUrl;

mod archive;
mod create;
mod moving;
mod queues;
mod retention;
mod schedules;
mod steering;
mod talk;

use create::Creates;
pub use moving::{Move, MovedTable};

/// How long a call tries on while the database is away, before it says so.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a sweep for missed wake-ups is good for on SQLite.
const SWEEP_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Signals that a slow receiver may be behind before it is told to look at everything.
const SIGNALS: usize = 1024;

/// One database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
    signals: broadcast::Sender<Signal>,
    sealer: Sealer,
    creates: Creates,
    /// When wake-ups that were missed are worth looking for, in uptime.
    next_sweep: Arc<Mutex<Duration>>,
}

#[derive(Clone)]
enum Db {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

/// The right to execute runs, and the way to write what they do.
pub struct Seat {
    /// Under which id.
    pub executor: ExecutorId,
    /// The way into the journal.
    pub journal: Journal,
    /// On SQLite: the lock on the file, held until the seat is given up.
    lock: Mutex<Option<Arc<ExecutorLock>>>,
}

impl Seat {
    /// Give the seat up: no batch is written any more, and on SQLite another process may execute the runs.
    pub fn give_up(&self) {
        self.journal.close();
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<ExecutorLock>>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Open a database and bring its schema up to date.
    ///
    /// # Errors
    /// Where the URL is not understood, the database cannot be reached, or its schema is too new.
    pub async fn open(url: &DatabaseUrl, clock: Clock) -> Result<Store, Error> {
        Store::open_with(url, Tables::BringUpToDate, clock).await?.unless_moved().await
    }

    /// Open a database that has its tables already. Nothing is made, and nothing changed in what is not ours.
    ///
    /// # Errors
    /// As [`open`](Store::open); [`Code::Schema`](onward_types::Code::Schema) where there are no tables of Onward or they
    /// are of an older version, and [`Code::Invalid`](onward_types::Code::Invalid) for a database in memory.
    pub async fn open_existing(url: &DatabaseUrl, clock: Clock) -> Result<Store, Error> {
        Store::open_with(url, Tables::TakeAsTheyAre, clock).await?.unless_moved().await
    }

    /// A database whose runs were moved to another one is of no use to anybody.
    async fn unless_moved(self) -> Result<Store, Error> {
        self.read("moves.check_moved", (), |tx, ()| Box::pin(moves::check_moved(tx))).await?;
        Ok(self)
    }

    async fn open_with(url: &DatabaseUrl, tables: Tables, clock: Clock) -> Result<Store, Error> {
        let (signals, _) = broadcast::channel(SIGNALS);
        let db = match url {
            DatabaseUrl::Sqlite { path, synchronous, beside_others } => {
                let place = Place::new(path.as_deref(), &clock)?.with(*synchronous, *beside_others);
                let sqlite = Sqlite::open(&place, tables, &clock, &signals)?;
                if tables == Tables::BringUpToDate {
                    sqlite.migrate().await?;
                }
                Db::Sqlite(sqlite)
            }
            #[cfg(feature = "postgres")]
            DatabaseUrl::Postgres(url) => Db::Postgres(Postgres::open(url, tables, &clock, &signals).await?),
            #[cfg(not(feature = "postgres"))]
            DatabaseUrl::Postgres(_) => {
                let message =
                    "this binary was built without PostgreSQL: add the feature `postgres` of the crate onward";
                return Err(Error::new(onward_types::Code::Invalid, message));
            }
        };
        Ok(Store {
            db,
            clock,
            signals,
            sealer: Sealer::default(),
            creates: Creates::default(),
            next_sweep: Arc::default(),
        })
    }

    /// The same database, its payloads encoded and decoded by this codec.
    #[must_use]
    pub fn with_codec(&self, codec: Arc<dyn Codec>) -> Store {
        Store { sealer: Sealer::new(codec), ..self.clone() }
    }

    /// The secret by which inputs are compared, if there is a codec.
    #[must_use]
    pub fn hash_key(&self) -> Option<[u8; 32]> {
        self.sealer.hash_key()
    }

    /// The time that this store lives by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where the database is, for people: without the secrets of its URL.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.place(),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.place(),
        }
    }

    /// Whether several executors may share this database, and so watch over each other.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self.db, Db::Sqlite(_))
    }

    /// What is committed from now on, by this process or another, as far as somebody may wait for it.
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// Tell this process what was committed.
    pub fn tell(&self, signal: Signal) {
        // Without a receiver nobody waits.
        self.signals.send(signal).ok();
    }

    /// Somebody in this process waits for a change by another one: look often, or be told, for the next minute.
    pub async fn listen_closely(&self) {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.watch_closely(crate::clock::add(self.clock.now(), Duration::from_secs(2))),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.announce_listening().await,
        }
    }

    /// Why nothing more is written by this process, if that is so: the SQLite file was deleted, moved or replaced while it was
    /// open, or is damaged.
    #[must_use]
    pub fn lost(&self) -> Option<Error> {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.lost(),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        }
    }

    /// Wait until other processes were told of what was committed here, but not for long: for a process that is about to end.
    pub async fn tell_others(&self) {
        match &self.db {
            Db::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.tell_others().await,
        }
    }

    // Executors.

    /// Take a seat among the executors of this database, under a new id. An executor that says nothing for its lease is declared dead.
    ///
    /// # Errors
    /// On SQLite [`Code::Busy`](onward_types::Code::Busy) while another process has the only seat.
    pub async fn join(&self, workflows: Vec<String>, lease: Duration, before: Option<&Seat>) -> Result<Seat, Error> {
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
            Db::Sqlite(sqlite) => sqlite.journal(executor.clone()),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.journal(executor.clone()).await?,
        };
        let journal = journal.sealed_by(self.sealer.clone());
        Ok(Seat { executor, journal, lock: Mutex::new(lock) })
    }

    /// Say that the executor lives. False: it was declared dead and must join anew.
    ///
    /// # Errors
    /// Where the database cannot be reached; that says nothing about the executor.
    pub async fn beat(&self, executor: &ExecutorId) -> Result<bool, Error> {
        let beat = self.try_beat("executors.beat", executor.clone(), |tx, of| Box::pin(executors::beat(tx, of)));
        Ok(beat.await?)
    }

    /// The signs of life of all executors, by the session for heartbeats; the clock learns what time it is on the server. Nothing on
    /// SQLite, where there is one executor, and its clock.
    ///
    /// # Errors
    /// Where the database cannot be reached.
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

    /// Every executor that has not left.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn executors(&self) -> Result<Vec<ExecutorRow>, Error> {
        self.read("executors.list", (), |tx, ()| Box::pin(executors::list(tx))).await
    }

    /// Declare an executor dead unless it has beaten since; end its sessions if they hold its fence.
    ///
    /// # Errors
    /// Where the database cannot be reached.
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

    /// Release one chunk of runs whose executor is dead or gone. Repeat until nothing was released.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn release_orphans(&self) -> Result<Recovered, Error> {
        let now = self.clock.now();
        let release =
            self.write("recover.release_orphans", now, |tx, now| Box::pin(recover::release_orphans(tx, *now)));
        let (mut recovered, cancelled) = release.await?;
        if recovered.total() == 0 && cancelled {
            recovered = self.let_go_of_cancelled().await?;
        }
        if recovered.total() > 0 {
            self.tell(Signal::Look);
        }
        Ok(recovered)
    }

    /// Let go of the cancelled runs of dead executors. One that has a child which somebody holds keeps no other.
    async fn let_go_of_cancelled(&self) -> Result<Recovered, Error> {
        let now = self.clock.now();
        let mut all = Recovered::default();
        let mut after = RunKey(uuid::Uuid::nil());
        loop {
            let keys = self
                .read("recover.cancelled_orphans", after, |tx, after| Box::pin(recover::cancelled_orphans(tx, *after)));
            let keys = keys.await?;
            let Some(last) = keys.last() else { return Ok(all) };
            after = *last;
            let let_go = |keys: Vec<RunKey>| -> BoxFuture<'_, Result<u64, Fault>> {
                Box::pin(self.try_write("recover.let_go_of_cancelled", keys, move |tx, keys| {
                    Box::pin(recover::let_go_of_cancelled(tx, keys, now))
                }))
            };
            let (done, faults) = steering::one_for_all(keys, let_go).await;
            all.let_go += usize::try_from(done.into_iter().sum::<u64>()).unwrap_or(usize::MAX);
            all.left += faults.len();
            all.why = faults.last().map(|fault| fault.error.message().to_owned()).or(all.why);
        }
    }

    /// Forget dead executors that have no runs any more.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn forget_dead(&self) -> Result<(), Error> {
        self.write("executors.forget", (), |tx, ()| Box::pin(executors::forget(tx))).await
    }

    /// Wake parked runs that nobody woke although what they wait for is there.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn wake_missed(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let missed = self.read("recover.missed", now, |tx, now| Box::pin(recover::missed(tx, *now))).await?;
        if missed.is_empty() {
            return Ok(0);
        }
        self.write("recover.wake_missed", missed, move |tx, missed| Box::pin(recover::wake_missed(tx, missed, now)))
            .await
    }

    /// The same, as often as it is worth the search: each time on PostgreSQL, where a row that another session holds is stepped
    /// over; at first and then once a minute on SQLite, where writers come one after another and miss nothing.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn sweep_missed(&self) -> Result<u64, Error> {
        if !self.is_shared() {
            let now = self.clock.uptime();
            let mut next = self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
            if now < *next {
                return Ok(0);
            }
            *next = now + SWEEP_AGAIN_AFTER;
        }
        self.wake_missed().await
    }

    /// Leave: whatever the executor still has may be claimed at once.
    ///
    /// # Errors
    /// Where the database cannot be reached; the lease heals it then.
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

    /// The runs that were taken from an executor and that it has not let go of.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn revoked(&self, executor: &ExecutorId) -> Result<Vec<RunKey>, Error> {
        self.read("executors.revoked", executor.clone(), |tx, of| Box::pin(executors::revoked(tx, of))).await
    }

    /// The runs that an executor has, but for those that were taken from it.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn owned(&self, executor: &ExecutorId) -> Result<Vec<RunKey>, Error> {
        self.read("executors.owned", executor.clone(), |tx, of| Box::pin(executors::owned(tx, of))).await
    }

    // Claims.

    /// Take waiting runs.
    ///
    /// # Errors
    /// Where the database cannot be reached. Runs may have been taken all the same, where only the answer was lost:
    /// [`owned`](Store::owned) tells of them.
    pub async fn claim(&self, wanted: Claim) -> Result<Vec<RunKey>, Error> {
        let given = (wanted, self.clock.now());
        let claim = self.try_write("runs.claim", given, |tx, (wanted, now)| Box::pin(claim::claim(tx, wanted, *now)));
        let keys = claim.await?;
        if !keys.is_empty() {
            crate::crash::point("run.claimed");
        }
        Ok(keys)
    }

    /// What of these workflows waits to be claimed, and when the next run will be ready.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn waiting(&self, workflows: Arc<Known>) -> Result<Waiting, Error> {
        let given = (workflows, self.clock.now());
        self.read("runs.waiting", given, |tx, (known, now)| Box::pin(claim::waiting(tx, known, *now))).await
    }

    /// The same as [`load`](Store::load) for the first of these runs, no more of them than have histories of so many bytes together;
    /// one in any case. Gives the others back.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn load_within(
        &self,
        mut keys: Vec<RunKey>,
        bytes: usize,
    ) -> Result<(Vec<(RunKey, Result<History, Error>)>, Vec<RunKey>), Error> {
        let left = match keys.len() {
            0 | 1 => Vec::new(),
            _ => {
                let given = (keys.clone(), bytes);
                let fit = self.read("runs.how_many_fit", given, |tx, (keys, bytes)| {
                    Box::pin(claim::how_many_fit(tx, keys, *bytes))
                });
                keys.split_off(fit.await?)
            }
        };
        Ok((self.load(keys).await?, left))
    }

    /// What these runs recorded. A run that cannot be understood comes back as an error of its own.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn load(&self, keys: Vec<RunKey>) -> Result<Vec<(RunKey, Result<History, Error>)>, Error> {
        let loaded = self.read("runs.load", keys, |tx, keys| Box::pin(claim::load(tx, keys))).await?;
        let open = |history: Result<History, Fault>| self.sealer.open_history(history?);
        Ok(loaded.into_iter().map(|(key, history)| (key, open(history))).collect())
    }

    // Runs.

    /// The run that has an id.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if none has.
    pub async fn find(&self, id: &RunId) -> Result<Existing, Error> {
        let found = self.read("runs.find", id.clone(), |tx, id| Box::pin(runs::find(tx, id)));
        found.await?.ok_or_else(|| steer::unknown(id).error)
    }

    /// All that is known of a run.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn describe(&self, id: &RunId) -> Result<RunRecord, Error> {
        let given = (id.clone(), self.clock.now());
        let found = self.read("runs.describe", given, |tx, (id, now)| Box::pin(runs::describe(tx, id, *now)));
        let mut run = found.await?.ok_or_else(|| steer::unknown(id).error)?;
        self.sealer.show_run(&mut run);
        Ok(run)
    }

    /// Every durable call of a run, in the order of positions.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn steps(&self, id: &RunId) -> Result<Vec<StepRecord>, Error> {
        self.list_steps(id, StepFilter::default()).await
    }

    /// Some durable calls of a run, in the order of positions.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn list_steps(&self, id: &RunId, filter: StepFilter) -> Result<Vec<StepRecord>, Error> {
        let given = (id.clone(), filter);
        let found = self.read("runs.steps", given, |tx, (id, filter)| Box::pin(runs::steps(tx, id, *filter)));
        let mut steps = found.await?.ok_or_else(|| steer::unknown(id).error)?;
        steps.iter_mut().for_each(|step| self.sealer.show_step(step));
        Ok(steps)
    }

    /// The children of a run, in the order of their creation.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn children(&self, id: &RunId) -> Result<Vec<RunId>, Error> {
        self.find(id).await?;
        self.read("runs.children", id.clone(), |tx, id| Box::pin(runs::children(tx, id))).await
    }

    /// A page of runs.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for attributes that no run can have, or where the database cannot be
    /// reached.
    pub async fn list(&self, filter: Filter) -> Result<Page<RunRecord>, Error> {
        let given = (filter, self.clock.now());
        let listed = self.read("runs.list", given, |tx, (filter, now)| Box::pin(list::list(tx, filter, *now)));
        let mut page = listed.await?;
        page.items.iter_mut().for_each(|run| self.sealer.show_run(run));
        Ok(page)
    }

    /// How a run stands; none if it is gone.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn outcome(&self, key: RunKey) -> Result<Option<Outcome>, Error> {
        let outcome = self.read("runs.outcome", key, |tx, key| Box::pin(runs::outcome(tx, *key))).await?;
        Ok(outcome.map(|outcome| self.sealer.open_outcome(outcome)))
    }

    /// Which of these runs have ended or are paused, and which are gone.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn ended(&self, keys: Vec<RunKey>) -> Result<Ends, Error> {
        self.read("runs.ended", keys, |tx, keys| Box::pin(runs::ended(tx, keys))).await
    }

    /// The children of a run of which it recorded nothing: they were created when it was lost.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn stray_children(&self, parent: RunKey) -> Result<Vec<Stray>, Error> {
        self.read("runs.stray_children", parent, |tx, parent| Box::pin(runs::stray_children(tx, *parent))).await
    }

    // Transactions of users.

    /// Begin a transaction of a user. None: the run was taken from its executor. `serializable`: in the strictest isolation,
    /// which SQLite always has.
    ///
    /// # Errors
    /// Where the database cannot be reached; it may be tried again.
    pub async fn begin(&self, owner: &Owner, serializable: bool) -> Result<Option<OpenTransaction>, Error> {
        let session = match &self.db {
            Db::Sqlite(sqlite) => sqlite.begin(owner.clone()).await?.map(Session::Sqlite),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => {
                postgres.begin(owner, serializable).await?.map(|open| Session::Postgres(Box::new(open)))
            }
        };
        #[cfg(not(feature = "postgres"))]
        let _: bool = serializable;
        Ok(session.map(|session| OpenTransaction::new(session, owner.clone(), self.sealer.clone())))
    }

    /// The `seq` of the checkpoint at a position, if there is one; for whoever lost the answer to the commit of a transaction.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn recorded(&self, run: RunKey, position: u32) -> Result<Option<u64>, Error> {
        let given = (run, position);
        self.write("transactions.recorded", given, |tx, (run, at)| Box::pin(transactions::recorded(tx, *run, *at)))
            .await
    }

    // How the operations reach the database: each opens a span that names it.

    /// Read, trying again for [`PATIENCE`] while the database is away or busy.
    async fn read<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let work = bound(given, work);
        Ok(self.patiently(|| self.db.read(work.clone())).instrument(span(op)).await?)
    }

    /// Write, trying again for [`PATIENCE`] while the database is away or busy.
    async fn write<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let work = bound(given, work);
        Ok(self.patiently(|| self.db.write(work.clone())).instrument(span(op)).await?)
    }

    /// Write, once: the caller comes back to it, or knows what to do instead.
    async fn try_write<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.db.write(bound(given, work)).instrument(span(op)).await
    }

    /// Write, once, on the connection for heartbeats where there is one: a heartbeat must not wait behind what is slow.
    async fn try_beat<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.db.beat(bound(given, work)).instrument(span(op)).await
    }

    async fn patiently<T, F: Future<Output = Result<T, Fault>>>(&self, attempt: impl Fn() -> F) -> Result<T, Fault> {
        let began = std::time::Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            match attempt().await {
                Err(fault) if fault.is_passing() && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                }
                done => return done,
            }
        }
    }
}

impl Db {
    async fn write<T: Send + 'static>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        match self {
            Db::Sqlite(sqlite) => sqlite.write(work).await,
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.write(work).await,
        }
    }

    async fn beat<T: Send + 'static>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        match self {
            Db::Sqlite(sqlite) => sqlite.write(work).await,
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.beat(work).await,
        }
    }

    async fn read<T: Send + 'static>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        match self {
            Db::Sqlite(sqlite) => sqlite.read(work).await,
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.read(work).await,
        }
    }
}

/// What an operation does in a transaction with what its caller gave. It may be done more than once, if the database asks for it.
trait Work<A, T>: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static {}

impl<A, T, F> Work<A, T> for F where
    F: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static
{
}

/// The work and what it is done with, as one that the drivers take.
fn bound<A: Send + Sync + 'static, T>(given: A, work: impl Work<A, T>) -> impl Transact<T> + Clone {
    let shared = Arc::new((given, work));
    move |tx: &mut Tx| {
        let shared = shared.clone();
        Box::pin(async move { (shared.1)(tx, &shared.0).await })
    }
}

/// One operation of the store. Where nobody looks at spans of this level, it costs the check for that.
fn span(op: &'static str) -> tracing::Span {
    tracing::debug_span!("onward.store", op)
}
