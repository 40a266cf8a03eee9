//! SQLite: one file, one writer thread, a few readers.
//!
//! The writer thread has the only connection that writes, in this process. It commits the journal's batches and runs
//! every other write between them. Clients of other processes write too; `connection.rs` says how they share the file.

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

/// Readers beside the writer. WAL lets them read while it writes.
const READERS: usize = 3;

#[derive(Clone)]
pub(crate) struct Sqlite(Arc<Inner>);

struct Inner {
    mailbox: Arc<Mailbox>,
    /// Empty for `:memory:`, which only its own connection can see.
    readers: Vec<Mutex<Slot>>,
    place: Place,
    next_reader: AtomicUsize,
}

/// Where a database lies, and how it is opened.
#[derive(Clone)]
pub(crate) struct Place {
    /// The one name of the file; none: in memory.
    path: Option<PathBuf>,
    /// As it was given, for what people read.
    name: String,
    synchronous: Synchronous,
    /// Whether tables of other programs may be in the file.
    beside_others: bool,
    guard: Option<Arc<Guard>>,
}

impl Place {
    /// Where a URL leads from here: a process that goes to another folder later has the same file.
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

    /// Refuse to go on if the file is lost.
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

    /// What was done counts only if it was done to the file that was opened.
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
    /// Open the database, making the file if there is none. What cannot be used is refused before anything is written.
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

    /// Become the one process that executes runs of this file.
    pub(crate) fn lock_executor(&self) -> Result<Option<ExecutorLock>, Fault> {
        self.0.place.check()?;
        self.0.place.path.as_deref().map(ExecutorLock::take).transpose()
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        let Place { path, name, .. } = &self.0.place;
        path.as_ref().map_or_else(|| format!("sqlite:{name}"), |path| format!("sqlite:{}", path.display()))
    }

    /// Why nothing more is written, if that is so: the file is gone or damaged.
    pub(crate) fn lost(&self) -> Option<onward_types::Error> {
        self.0.place.lost().cloned()
    }

    /// Have everything in the file, and nothing in the WAL beside it.
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

    pub(crate) fn journal(&self, executor: ExecutorId) -> Journal {
        let mailbox = Arc::downgrade(&self.0.mailbox);
        let journal = Journal::new(
            executor,
            Bell::Call(Box::new(move |shared| match mailbox.upgrade() {
                Some(mailbox) => mailbox.drain(shared.clone()),
                None => shared.close(),
            })),
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
            // Whoever asked may have gone away; what was written stays written.
            tell.send(done).ok();
        }))?;
        told.await.map_err(|_| Fault::try_again("the writer of the SQLite file has ended"))?
    }

    /// Run `work` in a read transaction, beside the writer.
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
        reading.await.map_err(|error| Fault::try_again(format!("a read of the SQLite file was broken off: {error}")))?
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

    /// Look for changes of other processes often, until `until`: somebody waits for one.
    pub(crate) fn watch_closely(&self, until: Timestamp) {
        self.0.mailbox.watch_closely(until);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

/// How often a process looks for commits of others while somebody waits, and while nobody does.
const LOOK_CLOSELY: Duration = Duration::from_millis(5);
const LOOK: Duration = Duration::from_millis(50);
