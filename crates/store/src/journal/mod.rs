//! The journal: the one path by which changes of an executor become durable, many changes of many runs in one commit.
//!
//! While the journal is idle a change commits at once; while a commit is in flight the next batch gathers. There is no
//! timer. What happens to a batch stands in `commit.rs`, how it is folded in `fold.rs`, how it is written in the
//! drivers.

mod commit;
mod fold;
mod queue;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onward_types::{Error, ExecutorId, RunKey, Timestamp};
use tokio::sync::Notify;

pub use commit::is_stranger;
pub(crate) use commit::{Committed, Settlement, Writer, drain};
use fold::fold;
pub(crate) use fold::{Batch, Create, Event, Refusal, Update};
use queue::{Queue, Taken};

use crate::change::{Change, Created};
use crate::codec::Sealer;
use crate::histogram::{Buckets, Histogram};
use crate::sync::lock;

/// A batch ends at this many changes: about 5 ms of work on either database.
const BATCH_CHANGES: usize = 2_000;
/// A batch ends at this many bytes, far below the 1 GiB that a message to PostgreSQL may have.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Above this many bytes in the queue, runs wait before they make more.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Where changes come from, and who is told what became of them. Called from the journal's own thread: an answer only
/// sets flags and wakes.
pub trait Origin: Send + Sync {
    /// Every change up to the `upto`-th of this run is durable.
    fn committed(&self, upto: u64);
    /// The run was taken from its owner, or its owner was fenced off. No change of it is accepted any more.
    fn refused(&self);
    /// No database takes one of these changes, and none was written.
    fn rejected(&self, error: &Error);
    /// A parked run that waits for an event of this one may be claimed now.
    fn woke(&self) {}
    /// What came of a create.
    fn created(&self, run: RunKey, created: Created);
}

/// Some changes of one run, made one after another.
pub struct Entry {
    /// The run.
    pub run: RunKey,
    /// Who made them.
    pub origin: Arc<dyn Origin>,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// How many changes the run has made, these included.
    pub upto: u64,
}

/// The way into the journal of one executor. Clones lead to the same journal.
#[derive(Clone)]
pub struct Journal(pub(crate) Arc<Shared>, Sealer);

pub(crate) struct Shared {
    pub(crate) executor: ExecutorId,
    queue: Mutex<Queue>,
    /// Bytes in the queue, beside its lock: every run asks before it goes on.
    queued: AtomicUsize,
    /// Rung when the queue stops being empty.
    pub(crate) bell: Bell,
    /// Rung when the queue became shorter.
    drained: Notify,
    /// How many entries the latest batch had.
    latest: AtomicUsize,
    /// The number of the last batch that is known to stand.
    number: AtomicU64,
    closed: AtomicBool,
    closing: Notify,
    /// Since when the commit under way has been, tries that failed included.
    under_way: Mutex<Option<Instant>>,
    health: Mutex<Health>,
    counts: Counts,
}

/// How the writer is told that there is work.
pub(crate) enum Bell {
    /// Wake the journal's own task. It is woken too when the journal is dropped.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code))]
    Notify(Arc<Notify>),
    /// Call the writer thread.
    Call(CallWriter),
}

/// Tells a writer thread that this journal has work.
type CallWriter = Box<dyn Fn(&Arc<Shared>) + Send + Sync>;

impl Drop for Bell {
    fn drop(&mut self) {
        if let Bell::Notify(notify) = self {
            notify.notify_one();
        }
    }
}

/// How the journal is doing.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Since when the database takes no commits, and what it said last.
    pub failing: Option<(Timestamp, String)>,
    /// How long the commit under way has been without an answer; nothing between two of them.
    pub unanswered: Duration,
}

struct Counts {
    commits: AtomicU64,
    changes: AtomicU64,
    failures: AtomicU64,
    last_commit: AtomicU64,
    batches: Buckets,
    took: Buckets,
    durable_after: Buckets,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            commits: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_commit: AtomicU64::new(0),
            batches: Buckets::of_sizes(),
            took: Buckets::of_times(),
            durable_after: Buckets::of_times(),
        }
    }
}

/// What the journal has done so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalCounts {
    /// Committed batches.
    pub commits: u64,
    /// Changes in them.
    pub changes: u64,
    /// Tries to commit that the database did not take, and that were made again.
    pub failures: u64,
    /// How long the last commit took.
    pub last_commit: Duration,
    /// Changes that wait in the queue, in bytes.
    pub queued_bytes: usize,
    /// How long the oldest change in the queue has waited for its turn.
    pub lag: Duration,
    /// How many changes a batch had.
    pub batch_changes: Histogram,
    /// How many seconds a commit took, failed tries included.
    pub commit_seconds: Histogram,
    /// How many seconds the oldest change of a batch took from being handed over to being durable.
    pub durable_seconds: Histogram,
}

impl JournalCounts {
    /// Add what another journal did: that of the executor's seat before.
    pub fn add(&mut self, other: &JournalCounts) {
        self.commits += other.commits;
        self.changes += other.changes;
        self.failures += other.failures;
        self.batch_changes.add(&other.batch_changes);
        self.commit_seconds.add(&other.commit_seconds);
        self.durable_seconds.add(&other.durable_seconds);
    }
}

impl Journal {
    pub(crate) fn new(executor: ExecutorId, bell: Bell) -> Journal {
        let shared = Shared {
            executor,
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            bell,
            drained: Notify::new(),
            latest: AtomicUsize::new(0),
            number: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            under_way: Mutex::default(),
            health: Mutex::default(),
            counts: Counts::default(),
        };
        Journal(Arc::new(shared), Sealer::default())
    }

    /// The way into the same journal for changes whose payloads are encoded.
    pub(crate) fn sealed_by(self, sealer: Sealer) -> Journal {
        Journal(self.0, sealer)
    }

    /// The executor that this journal writes for.
    #[must_use]
    pub fn executor(&self) -> &ExecutorId {
        &self.0.executor
    }

    /// Hand over changes. They are durable once their origin is told so.
    pub fn submit(&self, mut entry: Entry) {
        if self.is_closed() {
            return entry.origin.refused();
        }
        if let Err(error) = self.1.seal_changes(&mut entry.changes) {
            self.0.reject(&entry, &error);
            return entry.origin.rejected(&error);
        }
        let pushed = {
            let mut queue = lock(&self.0.queue);
            queue.push(entry).map(|bytes| {
                self.0.queued.fetch_add(bytes, Ordering::Relaxed);
                !std::mem::replace(&mut queue.rung, true)
            })
        };
        match pushed {
            Ok(true) => self.0.ring(),
            Ok(false) => {}
            // Without the lock: who hears it may hand over the next entry.
            Err((entry, error)) => return entry.origin.rejected(&error),
        }
        // The journal may have been closed, and its queue emptied, between the look and the push.
        if self.is_closed() {
            self.0.refuse_all();
        }
    }

    /// Whether more changes may be made now, or the database is so far behind that runs should wait.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.0.queued.load(Ordering::Relaxed) < QUEUE_BYTES
    }

    /// Wait until there is room in the queue.
    pub async fn capacity(&self) {
        loop {
            let drained = self.0.drained.notified();
            if self.has_capacity() || self.is_closed() {
                return;
            }
            drained.await;
        }
    }

    /// Wait until everything that was handed over before has been committed or refused.
    pub async fn flush(&self) {
        let (tell, told) = tokio::sync::oneshot::channel();
        let origin = Arc::new(Flush(Mutex::new(Some(tell))));
        self.submit(Entry { run: RunKey(uuid::Uuid::nil()), origin, changes: Vec::new(), upto: 0 });
        // A sender that was dropped says the same: the journal is closed.
        told.await.ok();
    }

    /// Wait until the journal was closed because its executor lost its fence.
    pub async fn fenced(&self) {
        loop {
            let closing = self.0.closing.notified();
            if self.is_closed() {
                return;
            }
            closing.await;
        }
    }

    /// Whether the journal takes nothing more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    /// Take nothing more, and refuse what is queued.
    pub fn close(&self) {
        self.0.close();
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let unanswered = lock(&self.0.under_way).map(|since| since.elapsed()).unwrap_or_default();
        Health { unanswered, ..lock(&self.0.health).clone() }
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> JournalCounts {
        let Counts { commits, changes, failures, last_commit, batches, took, durable_after } = &self.0.counts;
        let oldest = lock(&self.0.queue).oldest();
        JournalCounts {
            commits: commits.load(Ordering::Relaxed),
            changes: changes.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            last_commit: Duration::from_micros(last_commit.load(Ordering::Relaxed)),
            queued_bytes: self.0.queued.load(Ordering::Relaxed),
            lag: oldest.map(|since| since.elapsed()).unwrap_or_default(),
            batch_changes: batches.read(),
            commit_seconds: took.read(),
            durable_seconds: durable_after.read(),
        }
    }
}

impl Shared {
    fn ring(self: &Arc<Self>) {
        match &self.bell {
            Bell::Notify(notify) => notify.notify_one(),
            Bell::Call(call) => call(self),
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.refuse_all();
        self.closing.notify_waiters();
        self.drained.notify_waiters();
        if let Bell::Notify(notify) = &self.bell {
            notify.notify_one();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn refuse_all(&self) {
        let entries = {
            let mut queue = lock(&self.queue);
            self.queued.store(0, Ordering::Relaxed);
            queue.empty()
        };
        for entry in entries {
            entry.origin.refused();
        }
    }

    /// The next batch's worth of entries, and since when the oldest waits; none, and the bell is armed again, if there are
    /// none.
    fn take(&self) -> Option<(Vec<Entry>, Instant)> {
        let mut queue = lock(&self.queue);
        let Some(Taken { entries, bytes, since }) = queue.take() else {
            queue.rung = false;
            return None;
        };
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
        drop(queue);
        self.drained.notify_waiters();
        Some((entries, since))
    }

    /// How many entries wait.
    fn entries(&self) -> usize {
        lock(&self.queue).len()
    }

    /// No database takes what this entry has: nothing that its run makes after it may stand without it.
    fn reject(&self, entry: &Entry, error: &Error) {
        let mut queue = lock(&self.queue);
        let freed = queue.reject(entry.run, &entry.origin, error);
        self.queued.fetch_sub(freed, Ordering::Relaxed);
    }

    /// Put entries that could not be written back to the front, in their order.
    fn put_back(&self, entries: Vec<Entry>) {
        let mut queue = lock(&self.queue);
        self.queued.fetch_add(queue.put_back(entries), Ordering::Relaxed);
        drop(queue);
        // Whoever closed the journal meanwhile has refused what was in the queue then.
        if self.is_closed() {
            self.refuse_all();
        }
    }

    pub(crate) fn note_failing(&self, at: Timestamp, error: &Error) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        let mut health = lock(&self.health);
        let since = health.failing.as_ref().map_or(at, |(since, _)| *since);
        health.failing = Some((since, error.message().to_owned()));
    }

    fn note_under_way(&self, since: Option<Instant>) {
        *lock(&self.under_way) = since;
    }

    /// A batch stands. It was taken up at `began`; its oldest change was handed over at `since`.
    fn note_commit(&self, changes: usize, began: Instant, since: Instant) {
        let (counts, now) = (&self.counts, Instant::now());
        let (took, changes) = (now - began, changes as u64);
        counts.commits.fetch_add(1, Ordering::Relaxed);
        counts.changes.fetch_add(changes, Ordering::Relaxed);
        counts.last_commit.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        counts.batches.note(changes);
        counts.took.note_time(took);
        counts.durable_after.note_time(now - since);
        let mut health = lock(&self.health);
        if health.failing.is_some() {
            health.failing = None;
        }
    }
}

/// An entry without changes: all that counts is that its turn came.
struct Flush(Mutex<Option<tokio::sync::oneshot::Sender<()>>>);

impl Flush {
    fn done(&self) {
        if let Some(tell) = lock(&self.0).take() {
            // Whoever waited may have gone away.
            tell.send(()).ok();
        }
    }
}

impl Origin for Flush {
    fn committed(&self, _: u64) {
        self.done();
    }

    fn refused(&self) {
        self.done();
    }

    fn rejected(&self, _: &Error) {
        self.done();
    }

    fn created(&self, _: RunKey, _: Created) {}
}

/// Closes the journal if whoever writes it panics: runs would queue for ever, while the executor says that it lives.
pub(crate) struct CloseOnPanic(pub(crate) Arc<Shared>);

impl Drop for CloseOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(executor = %self.0.executor, "the journal's writer panicked; the journal is closed");
            self.0.close();
        }
    }
}
