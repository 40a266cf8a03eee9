//! SQLite: one file, one writer thread, a few readers.
//!
//! The writer thread has the only connection that writes, in this process. It commits the journal's batches and runs
//! every other write between them. Clients of other processes write too; `connection.rs` says how they share the file.

mod batch;
mod connection;
mod lock;
mod settle;
mod transaction;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::signal::Signal;
use connection::{Slot, open};
use writer::Mailbox;

/// Readers beside the writer. WAL lets them read while it writes.
const READERS: usize = 3;

/// How much SQLite does before it says that a commit is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit is on the disk when it is acknowledged. The default, and the only setting under which a recorded step
    /// never runs again after a power cut.
    #[default]
    Full,
    /// A power cut may take the last commits back; a crash of the process may not. Several times faster.
    Normal,
}

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
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// None: in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) synchronous: Synchronous,
}

impl Sqlite {
    /// Open the database, making the file if there is none.
    pub(crate) fn open(place: &Place, clock: &Clock, signals: &broadcast::Sender<Signal>) -> Result<Sqlite, Fault> {
        let connection = open(place)?;
        let mailbox = writer::spawn(connection, place, clock, signals)?;
        let readers = if place.path.is_some() { READERS } else { 0 };
        let readers = (0..readers).map(|_| Mutex::new(None)).collect();
        Ok(Sqlite(Arc::new(Inner { place: place.clone(), mailbox, readers, next_reader: AtomicUsize::new(0) })))
    }

    /// Refuse a place that has no database of ours, without making one.
    pub(crate) fn check(place: &Place) -> Result<(), Fault> {
        connection::check(place)
    }

    /// Become the one process that executes runs of this file.
    pub(crate) fn lock_executor(&self) -> Result<Option<ExecutorLock>, Fault> {
        self.0.place.path.as_deref().map(|path: &Path| ExecutorLock::take(path)).transpose()
    }

    pub(crate) fn journal(&self, executor: ExecutorId) -> Journal {
        let mailbox = Arc::downgrade(&self.0.mailbox);
        Journal::new(
            executor,
            Bell::Call(Box::new(move |shared| match mailbox.upgrade() {
                Some(mailbox) => mailbox.drain(shared.clone()),
                None => shared.close(),
            })),
        )
    }

    /// Run `work` in a write transaction on the writer thread.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> Fn(&'t mut crate::driver::Tx) -> BoxFuture<'t, Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let (tell, told) = oneshot::channel();
        self.0.mailbox.run(Box::new(move |connection| {
            let done = connection::transaction(connection, "begin immediate", work);
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
            let mut reader = inner.readers[at].lock().unwrap_or_else(PoisonError::into_inner);
            if reader.is_none() {
                *reader = Some(connection::open_reader(&inner.place)?);
            }
            connection::transaction(&mut reader, "begin deferred", work)
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
