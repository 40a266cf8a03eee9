//! SQLite: one file, one writer thread, a few readers.
//!
//! The writer thread has the only writing connection of this process. It commits the journal's batches, and runs all other
//! writes between them. Clients in other processes write as well; `connection.rs` describes how they share the file.

mod batch;
mod connection;
mod copy;
mod file;
mod lock;
mod look;
mod settle;
mod transaction;
mod wal;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use onward_types::{ExecutorId, Timestamp};
use tokio::sync::{broadcast, oneshot};

pub(crate) use connection::{Row, Tx};
pub(crate) use lock::ExecutorLock;
pub(crate) use transaction::{Expired, UserTransaction};

use crate::clock::Clock;
use crate::fault::Fault;
use crate::journal::{Bell, Journal};
use crate::migrate::Tables;
use crate::signal::Signal;
use crate::sync::lock;
use crate::url::Synchronous;
use connection::{Slot, make};
use file::Guard;
use writer::Mailbox;

/// The number of reading connections. In WAL mode they read while the writer writes.
const READERS: usize = 3;

#[derive(Clone)]
pub(crate) struct Sqlite(Arc<Inner>);

struct Inner {
    mailbox: Arc<Mailbox>,
    /// Empty for `:memory:`, which is visible only to its own connection.
    readers: Vec<Mutex<Slot>>,
    place: Place,
    next_reader: AtomicUsize,
}

/// The location of a database, and how it is opened.
#[derive(Clone)]
pub(crate) struct Place {
    /// The canonical name of the file; `None` for an in-memory database.
    path: Option<PathBuf>,
    /// The name as it was given, for display.
    name: String,
    synchronous: Synchronous,
    /// Whether the file may contain tables of other programs.
    beside_others: bool,
    guard: Option<Arc<Guard>>,
}

impl Place {
    /// Resolve a path now, so that a process that changes its working directory later still has the same file.
    pub(crate) fn new(path: Option<&Path>, clock: &Clock) -> Result<Place, Fault> {
        let Some(given) = path else { return Ok(Place::in_memory()) };
        let path = file::resolve(given)?;
        let guard = Some(Arc::new(Guard::new(&path, clock)));
        Ok(Place { path: Some(path), name: given.display().to_string(), guard, ..Place::in_memory() })
    }

    fn in_memory() -> Place {
        let name = ":memory:".to_owned();
        Place { path: None, name, synchronous: Synchronous::Full, beside_others: false, guard: None }
    }

    pub(crate) fn with(self, synchronous: Synchronous, beside_others: bool) -> Place {
        Place { synchronous, beside_others, ..self }
    }

    /// Fail if the file is lost.
    fn check(&self) -> Result<(), Fault> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.check())
    }

    fn check_often(&self) -> Result<(), Fault> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.check_often())
    }

    fn reopens(&self) -> Result<(), Fault> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.reopens())
    }

    fn has_reopened(&self) {
        if let Some(guard) = &self.guard {
            guard.has_reopened();
        }
    }

    fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    fn lost(&self) -> Option<&onward_types::Error> {
        self.guard.as_ref().and_then(|guard| guard.lost())
    }

    /// A result counts only if the file is still the one that was opened.
    fn judged<T>(&self, done: Result<T, Fault>) -> Result<T, Fault> {
        match done {
            Ok(value) => self.check_often().map(|()| value),
            Err(fault) => {
                self.check()?;
                Err(self.judge(fault))
            }
        }
    }

    fn judge(&self, fault: Fault) -> Fault {
        match &self.guard {
            Some(guard) => guard.judge(fault),
            None => fault,
        }
    }
}

impl Sqlite {
    /// Open the database, and create the file if there is none. A file that cannot be used is rejected before anything is
    /// written.
    pub(crate) fn open(
        place: &Place,
        tables: Tables,
        clock: &Clock,
        signals: &broadcast::Sender<Signal>,
    ) -> Result<Sqlite, Fault> {
        let mut connection =
            look::look(place, tables).and_then(|()| make(place)).map_err(|fault| look::or_full(place, fault))?;
        if let Some(guard) = &place.guard {
            guard.begin()?;
        }
        wal::begin(&mut connection, place);
        let mailbox = writer::spawn(connection, place, clock, signals)?;
        let readers = if place.path.is_some() { READERS } else { 0 };
        let readers = (0..readers).map(|_| Mutex::new(None)).collect();
        Ok(Sqlite(Arc::new(Inner { place: place.clone(), mailbox, readers, next_reader: AtomicUsize::new(0) })))
    }

    /// Become the only process that executes runs of this file.
    pub(crate) fn lock_executor(&self) -> Result<Option<ExecutorLock>, Fault> {
        self.0.place.check()?;
        self.0.place.path.as_deref().map(ExecutorLock::take).transpose()
    }

    /// The location, for display.
    pub(crate) fn place(&self) -> String {
        let Place { path, name, .. } = &self.0.place;
        path.as_ref().map_or_else(|| format!("sqlite:{name}"), |path| format!("sqlite:{}", path.display()))
    }

    /// Why nothing more is written, if so: the file is gone or damaged.
    pub(crate) fn lost(&self) -> Option<onward_types::Error> {
        self.0.place.lost().cloned()
    }

    /// Move everything from the WAL into the file.
    pub(crate) async fn put_away(&self) -> Result<(), Fault> {
        let (tell, told) = oneshot::channel();
        let place = self.0.place.clone();
        self.0.mailbox.run(Box::new(move |slot| {
            let done = connection::with_bare(slot, |connection| {
                wal::put_away(connection, &place);
                Ok(())
            });
            tell.send(done).ok();
        }))?;
        told.await.map_err(|_| Fault::try_again("the writer of the SQLite file has ended"))?
    }

    pub(crate) fn journal(&self, executor: ExecutorId, clock: &Clock) -> Journal {
        let mailbox = Arc::downgrade(&self.0.mailbox);
        let journal = Journal::new(
            executor,
            Bell::Call(Box::new(move |shared| match mailbox.upgrade() {
                Some(mailbox) => mailbox.drain(shared.clone()),
                None => shared.close(),
            })),
            clock.activity().cloned(),
        );
        if let Some(guard) = &self.0.place.guard {
            guard.closes(&journal.0);
        }
        journal
    }

    /// Run `work` in a write transaction on the writer thread.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> Fn(&'t mut crate::driver::Tx) -> BoxFuture<'t, Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let (tell, told) = oneshot::channel();
        let place = self.0.place.clone();
        self.0.mailbox.run(Box::new(move |connection| {
            let done = place.check_often().and_then(|()| connection::transaction(connection, "begin immediate", work));
            if let (Err(fault), Some(connection)) = (&done, connection)
                && wal::is_full(fault)
            {
                wal::make_room(connection, &place);
            }
            let done = place.judged(done);
            // The caller may have been dropped; what was written stays written.
            tell.send(done).ok();
        }))?;
        told.await.map_err(|_| Fault::try_again("the writer of the SQLite file has ended"))?
    }

    /// Run `work` in a read transaction, concurrently with the writer.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl for<'t> Fn(&'t mut crate::driver::Tx) -> BoxFuture<'t, Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        if self.0.readers.is_empty() {
            return self.write(work).await;
        }
        let inner = self.0.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let at = inner.next_reader.fetch_add(1, Ordering::Relaxed) % inner.readers.len();
            let mut reader = lock(&inner.readers[at]);
            if reader.is_none() {
                *reader = Some(connection::open_reader(&inner.place)?);
            }
            let read = connection::transaction(&mut reader, "begin deferred", work);
            read.map_err(|fault| inner.place.judge(fault))
        });
        reading.await.map_err(|error| Fault::try_again(format!("a read of the SQLite file was aborted: {error}")))?
    }

    /// Bring the schema up to date.
    pub(crate) async fn migrate(&self) -> Result<(), Fault> {
        let (tell, told) = oneshot::channel();
        self.0.mailbox.run(Box::new(move |slot| {
            let migrate = |connection: &mut rusqlite::Connection| crate::migrate::sqlite(connection, connection::fault);
            let done = connection::with_bare(slot, migrate);
            tell.send(done).ok();
        }))?;
        told.await.map_err(|_| Fault::try_again("the writer of the SQLite file has ended"))?
    }

    /// Poll often for changes by other processes until `until`, because a task waits for one.
    pub(crate) fn watch_closely(&self, until: Timestamp) {
        self.0.mailbox.watch_closely(until);
    }
}

/// A database in memory with all tables, opened as every other one. For tests.
#[cfg(test)]
pub(crate) fn migrated() -> rusqlite::Connection {
    let mut connection = make(&Place::in_memory()).unwrap();
    crate::migrate::sqlite(&mut connection, connection::fault).unwrap();
    connection
}

/// The same, as a search finds it.
#[cfg(test)]
pub(crate) fn searched() -> rusqlite::Connection {
    let connection = migrated();
    connection::plan_for(&connection, connection::Plan::TheseValues).unwrap();
    connection
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

/// How often the writer polls for commits of other processes: while a task waits for them, and otherwise.
const LOOK_CLOSELY: Duration = Duration::from_millis(5);
const LOOK: Duration = Duration::from_millis(50);
