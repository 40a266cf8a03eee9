//! The writer thread: commits the journal's batches, and runs all other writes between them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use onward_types::{Code, Timestamp, micros};
use tokio::sync::broadcast;

use super::connection::{Slot, fault, open};
use super::settle::Settler;
use super::{LOOK, LOOK_CLOSELY, Place, batch, wal};
use crate::clock::Clock;
use crate::fault::{Cure, Fault};
use crate::journal::{Batch, CloseOnPanic, Committed, Settlement, Shared, Writer, drain};
use crate::signal::Signal;
use crate::sync::{lock, wait};

/// After seeing a commit of another process, the writer sleeps this long after each batch, for [`YIELD_FOR`]: without it a
/// client waited 4.6 ms for its turn at the median, with it 0.2 ms.
const YIELD: Duration = Duration::from_micros(500);
const YIELD_FOR: Duration = Duration::from_millis(100);

/// After a batch the thread polls this long for more work before it sleeps, yielding meanwhile: waking a thread takes about 40
/// µs, and within that time a run that goes from step to step has its next change ready.
const LINGER: Duration = Duration::from_micros(60);

/// The shortest sleep: together with the system's overhead, long enough for some hundred steps.
const MOMENT: Duration = Duration::from_micros(1);

/// Work for the writer thread.
enum Work {
    Drain(Arc<Shared>),
    Do(Box<dyn FnOnce(&mut Slot) + Send>),
}

pub(super) struct Mailbox {
    state: Mutex<State>,
    /// The length of the queue, readable without the lock.
    waiting: AtomicUsize,
    bell: Condvar,
    /// The time until which to poll often for changes by other processes, in microseconds.
    closely_until: AtomicI64,
    /// Changes since the last checkpoint of the WAL.
    pub(super) written: AtomicU64,
    /// Whether the WAL is so long that the writer must wait for a checkpoint.
    pub(super) wal_is_long: AtomicBool,
}

#[derive(Default)]
struct State {
    work: VecDeque<Work>,
    /// Whether the thread sleeps and has to be woken.
    sleeps: bool,
    closed: bool,
}

impl Mailbox {
    pub(super) fn drain(&self, shared: Arc<Shared>) {
        if self.push(Work::Drain(shared.clone())).is_err() {
            shared.close();
        }
    }

    pub(super) fn run(&self, work: Box<dyn FnOnce(&mut Slot) + Send>) -> Result<(), Fault> {
        self.push(Work::Do(work))
    }

    fn push(&self, work: Work) -> Result<(), Fault> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Fault::new(Cure::None, Code::Stopped, "the SQLite file was closed"));
        }
        state.work.push_back(work);
        self.waiting.store(state.work.len(), Ordering::SeqCst);
        let sleeps = state.sleeps;
        drop(state);
        if sleeps {
            self.bell.notify_one();
        }
        Ok(())
    }

    pub(super) fn watch_closely(&self, until: Timestamp) {
        self.closely_until.fetch_max(micros(until), Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.bell.notify_all();
    }

    /// The next work; `Ok(None)` when it is time to poll for other processes, an error when everything is done.
    fn next(&self, look: Duration) -> Result<Option<Work>, Closed> {
        let mut state = lock(&self.state);
        if state.work.is_empty() && !state.closed {
            state.sleeps = true;
            state = wait(&self.bell, state, look);
            state.sleeps = false;
        }
        let work = state.work.pop_front();
        self.waiting.store(state.work.len(), Ordering::SeqCst);
        match work {
            None if state.closed => Err(Closed),
            work => Ok(work),
        }
    }

    /// Poll briefly for more work without sleeping.
    fn linger(&self) {
        let began = crate::real_time::now();
        while self.waiting.load(Ordering::SeqCst) == 0 && began.elapsed() < LINGER {
            std::thread::yield_now();
        }
    }
}

struct Closed;

/// Start the writer thread and the thread that checkpoints the WAL.
pub(super) fn spawn(
    connection: rusqlite::Connection,
    place: &Place,
    clock: &Clock,
    signals: &broadcast::Sender<Signal>,
) -> Result<Arc<Mailbox>, Fault> {
    let mailbox = Arc::new(Mailbox {
        state: Mutex::default(),
        waiting: AtomicUsize::new(0),
        bell: Condvar::new(),
        closely_until: AtomicI64::new(0),
        written: AtomicU64::new(0),
        wal_is_long: AtomicBool::new(false),
    });
    let mut thread = WriterThread {
        slot: Some(connection),
        place: place.clone(),
        clock: clock.clone(),
        signals: signals.clone(),
        mailbox: mailbox.clone(),
        settler: Settler::start(),
        data_version: 0,
        foreign: None,
        fails: Fails::default(),
    };
    thread.data_version = thread.read_data_version();
    if place.path.is_some() {
        thread.with(leave_checkpoints_to_others)?;
        let (place, mailbox) = (place.clone(), Arc::downgrade(&mailbox));
        start("onward-checkpoint", move || wal::keep(&place, &mailbox))?;
    }
    start("onward-writer", move || thread.run())?;
    Ok(mailbox)
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(drop).map_err(|error| {
        Fault::new(Cure::None, Code::Database, format!("the thread for SQLite cannot be started: {error}"))
    })
}

struct WriterThread {
    slot: Slot,
    place: Place,
    clock: Clock,
    signals: broadcast::Sender<Signal>,
    mailbox: Arc<Mailbox>,
    settler: Settler,
    data_version: i64,
    /// When the last commit of another process was seen.
    foreign: Option<Instant>,
    /// What fails, and the log says so: to restart the WAL, and to open the file.
    fails: Fails,
}

/// What the writer thread fails to do.
#[derive(Default)]
struct Fails {
    restart: bool,
    open: bool,
}

impl WriterThread {
    fn run(mut self) {
        let mailbox = self.mailbox.clone();
        // The thread ends with the last user of the store; if it panics, all further work is refused.
        let _closer = CloseOnDrop(mailbox.clone());
        while let Ok(work) = mailbox.next(self.look_every()) {
            self.reopen_if_closed();
            let drains = matches!(work, Some(Work::Drain(_)));
            match work {
                Some(Work::Do(work)) => {
                    work(&mut self.slot);
                    self.mailbox.written.fetch_add(1, Ordering::Relaxed);
                }
                Some(Work::Drain(shared)) => self.drain(shared),
                None => {}
            }
            self.look_for_others();
            self.settler.settle_late();
            if drains {
                mailbox.linger();
            }
        }
    }

    /// Commit one batch, then let others have their turn.
    fn drain(&mut self, shared: Arc<Shared>) {
        let _guard = CloseOnPanic(shared.clone());
        let clock = self.clock.clone();
        let more = drain(self, &shared, &clock, 1).now_or_never().unwrap_or(true);
        if more {
            self.mailbox.drain(shared);
        }
        if self.foreign.is_some_and(|seen| seen.elapsed() < YIELD_FOR) {
            crate::real_time::block(YIELD);
        }
        if self.mailbox.wal_is_long.swap(false, Ordering::Relaxed) {
            let restarted = self.with(wal::restart);
            self.note_restarted(restarted);
        }
    }

    fn note_restarted(&mut self, restarted: Result<(), Fault>) {
        let file = &self.place.name;
        match restarted {
            Err(fault) if !std::mem::replace(&mut self.fails.restart, true) => {
                let error = fault.error.message();
                tracing::warn!(target: "onward::database", %file, error, "the WAL of the SQLite file cannot be checkpointed");
            }
            Ok(()) if std::mem::take(&mut self.fails.restart) => {
                tracing::info!(target: "onward::database", %file, "the WAL of the SQLite file is checkpointed again");
            }
            _ => {}
        }
    }

    fn look_every(&self) -> Duration {
        let until = self.mailbox.closely_until.load(Ordering::Relaxed);
        if micros(self.clock.now()) < until { LOOK_CLOSELY } else { LOOK }
    }

    /// SQLite sends no notifications; this number changes only when another connection commits.
    fn look_for_others(&mut self) {
        let version = self.read_data_version();
        if std::mem::replace(&mut self.data_version, version) != version {
            self.foreign = Some(crate::real_time::now());
            // Sending fails if there are no receivers, which is fine: then nothing waits.
            self.signals.send(Signal::Look).ok();
        }
    }

    fn read_data_version(&self) -> i64 {
        let version = self.slot.as_ref().and_then(|connection| {
            let mut statement = connection.prepare_cached("pragma data_version").ok()?;
            statement.query_row([], |row| row.get(0)).ok()
        });
        version.unwrap_or(self.data_version)
    }

    fn reopen_if_closed(&mut self) {
        if self.slot.is_none() && self.place.path.is_some() && !self.place.is_lost() {
            let file = &self.place.name;
            match open_writer(&self.place) {
                Ok(connection) => {
                    self.slot = Some(connection);
                    if std::mem::take(&mut self.fails.open) {
                        tracing::info!(target: "onward::database", %file, "the SQLite file is open again");
                    }
                }
                Err(fault) if !std::mem::replace(&mut self.fails.open, true) => {
                    let error = fault.error.message();
                    tracing::warn!(target: "onward::database", %file, error, "the SQLite file cannot be opened again: retrying");
                }
                Err(_) => {}
            }
        }
    }

    /// Notify the claimers of this process of runs that a batch created for them; nothing else does.
    fn tell_claimers(&self, batch: &Batch) {
        if batch.creates.iter().any(|create| create.run.is_for_claimers()) {
            self.signals.send(Signal::Ready).ok();
        }
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut rusqlite::Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        super::connection::with_bare(&mut self.slot, work)
    }
}

impl Writer for WriterThread {
    async fn write(&mut self, batch: &Batch) -> Result<Committed, Fault> {
        let written = self.with(|connection| batch::write(connection, batch));
        if let Err(fault) = &written
            && wal::is_full(fault)
        {
            let place = self.place.clone();
            self.with(|connection| {
                wal::make_room(connection, &place);
                Ok(())
            })?;
        }
        let committed = self.place.judged(written)?;
        self.mailbox.written.fetch_add(batch.changes as u64, Ordering::Relaxed);
        self.tell_claimers(batch);
        Ok(committed)
    }

    async fn look(&mut self, batch: &Batch) -> Result<Option<Committed>, Fault> {
        if self.place.path.is_some() {
            self.place.reopens()?;
            self.slot = None;
            self.slot = Some(open_writer(&self.place)?);
            self.data_version = self.read_data_version();
        }
        let found = self.with(|connection| batch::look(connection, batch));
        let found = self.place.judged(found)?;
        if found.is_some() {
            self.tell_claimers(batch);
        }
        Ok(found)
    }

    /// Sleeping on the thread is fine: other work would meet the same failure.
    async fn pause(&mut self, duration: Duration) {
        crate::real_time::block(duration);
    }

    async fn moment(&mut self) {
        crate::real_time::block(MOMENT);
    }

    fn settle(&mut self, settlement: Settlement) -> bool {
        self.settler.settle(settlement);
        // On SQLite no row is locked by others while we write.
        false
    }
}

struct CloseOnDrop(Arc<Mailbox>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
        for work in std::mem::take(&mut lock(&self.0.state).work) {
            if let Work::Drain(shared) = work {
                shared.close();
            }
        }
    }
}

fn open_writer(place: &Place) -> Result<rusqlite::Connection, Fault> {
    place.reopens()?;
    let mut connection = place.judged(open(place))?;
    place.has_reopened();
    leave_checkpoints_to_others(&mut connection)?;
    Ok(connection)
}

fn leave_checkpoints_to_others(connection: &mut rusqlite::Connection) -> Result<(), Fault> {
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(fault)
}
