//! The journal: the only path by which an executor's changes become durable, many changes of many runs per commit.
//!
//! While the journal is idle, a change is committed at once; while a commit is in flight, the next batch gathers. There is no
//! timer. `commit.rs` commits batches, `fold.rs` folds them, and the drivers write them.

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

use crate::activity::Activity;
use crate::change::{Change, Created};
use crate::codec::Sealer;
use crate::histogram::{Buckets, Histogram};
use crate::sync::lock;

/// The most changes in a batch: about 5 ms of work on either database.
const BATCH_CHANGES: usize = 2_000;
/// The most bytes in a batch, far below the 1 GiB limit of a PostgreSQL message.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Above this many queued bytes, runs wait before they submit more.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// The source of changes, which is informed of their fate. Called from the journal's own thread: implementations may only set
/// flags and wake tasks.
pub trait Origin: Send + Sync {
    /// Every change up to the `upto`-th of this run is durable.
    fn committed(&self, upto: u64);
    /// The run was revoked from its owner, or its owner was fenced off. No further change of it is accepted.
    fn refused(&self);
    /// The database rejects one of these changes, and none of them was written.
    fn rejected(&self, error: &Error);
    /// A parked run that waits for an event of this run may be claimed now.
    fn woke(&self) {}
    /// The result of creating a run.
    fn created(&self, run: RunKey, created: Created);
}

/// Consecutive changes of one run.
pub struct Entry {
    /// The run.
    pub run: RunKey,
    /// The source to inform about their fate.
    pub origin: Arc<dyn Origin>,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// How many changes the run has made, including these.
    pub upto: u64,
}

/// A handle to the journal of one executor. Clones share the journal.
#[derive(Clone)]
pub struct Journal(pub(crate) Arc<Shared>, Sealer);

pub(crate) struct Shared {
    pub(crate) executor: ExecutorId,
    queue: Mutex<Queue>,
    /// Bytes in the queue. Kept outside its lock because every run reads it before it continues.
    queued: AtomicUsize,
    /// Rung when the queue becomes non-empty.
    pub(crate) bell: Bell,
    /// Notified when the queue becomes shorter.
    drained: Notify,
    /// How many entries the latest batch had.
    latest: AtomicUsize,
    /// The number of the last batch that is known to be committed.
    number: AtomicU64,
    closed: AtomicBool,
    closing: Notify,
    under_way: Mutex<Option<UnderWay>>,
    health: Mutex<Health>,
    counts: Counts,
    /// What is in progress, if that is counted.
    activity: Option<Activity>,
}

/// The commit in progress, including its failed attempts.
#[derive(Clone, Copy)]
struct UnderWay {
    /// When it began.
    began: Instant,
    /// Since when the oldest of its changes has been waiting.
    since: Instant,
}

/// How the writer is notified of work.
pub(crate) enum Bell {
    /// Wakes the journal's own task, also when the journal is dropped.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code))]
    Notify(Arc<Notify>),
    /// Calls the writer thread.
    Call(CallWriter),
}

/// Notifies a writer thread that this journal has work.
type CallWriter = Box<dyn Fn(&Arc<Shared>) + Send + Sync>;

impl Drop for Bell {
    fn drop(&mut self) {
        if let Bell::Notify(notify) = self {
            notify.notify_one();
        }
    }
}

/// The health of the journal.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Since when the database does not accept commits, and its last error.
    pub failing: Option<(Timestamp, String)>,
    /// How long the current commit has been without an answer; zero between commits.
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

/// Counters and measurements of the journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalCounts {
    /// Committed batches.
    pub commits: u64,
    /// Changes in those batches.
    pub changes: u64,
    /// Failed attempts to commit that were retried.
    pub failures: u64,
    /// The duration of the last commit.
    pub last_commit: Duration,
    /// The bytes of changes waiting in the queue.
    pub queued_bytes: usize,
    /// How long the oldest change that is not durable has been waiting, in the queue or in the batch being committed.
    pub lag: Duration,
    /// The number of changes per batch.
    pub batch_changes: Histogram,
    /// The duration of commits in seconds, including failed attempts.
    pub commit_seconds: Histogram,
    /// The seconds between the submission of a batch's oldest change and its durability.
    pub durable_seconds: Histogram,
}

impl JournalCounts {
    /// Add the counts of another journal: that of the executor's previous seat.
    #[doc(hidden)]
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
    pub(crate) fn new(executor: ExecutorId, bell: Bell, activity: Option<Activity>) -> Journal {
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
            activity,
        };
        Journal(Arc::new(shared), Sealer::default())
    }

    /// The same journal, with payloads encoded by `sealer`.
    pub(crate) fn sealed_by(self, sealer: Sealer) -> Journal {
        Journal(self.0, sealer)
    }

    /// The executor that this journal writes for.
    #[must_use]
    pub fn executor(&self) -> &ExecutorId {
        &self.0.executor
    }

    /// Submit changes. They are durable once their origin is informed.
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
                let rings = !std::mem::replace(&mut queue.rung, true);
                if let (true, Some(activity)) = (rings, &self.0.activity) {
                    activity.note_progress();
                    queue.busy = Some(activity.begin());
                }
                rings
            })
        };
        match pushed {
            Ok(true) => self.0.ring(),
            Ok(false) => {}
            // After the lock is released: the origin may submit its next entry.
            Err((entry, error)) => return entry.origin.rejected(&error),
        }
        // The journal may have been closed, and its queue emptied, between the check and the push.
        if self.is_closed() {
            self.0.refuse_all();
        }
    }

    /// Whether more changes may be submitted. If not, the database is too far behind and runs should wait.
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

    /// Wait until everything submitted so far has been committed or refused.
    pub async fn flush(&self) {
        let (tell, told) = tokio::sync::oneshot::channel();
        let origin = Arc::new(Flush(Mutex::new(Some(tell))));
        self.submit(Entry { run: RunKey(uuid::Uuid::nil()), origin, changes: Vec::new(), upto: 0 });
        // A dropped sender means the same: the journal is closed.
        told.await.ok();
    }

    /// Wait until the journal is closed because its executor lost its fence.
    pub async fn fenced(&self) {
        loop {
            let closing = self.0.closing.notified();
            if self.is_closed() {
                return;
            }
            closing.await;
        }
    }

    /// Whether the journal is closed and accepts nothing more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    /// Close the journal: accept nothing more, and refuse what is queued.
    pub fn close(&self) {
        self.0.close();
    }

    /// The current health.
    #[must_use]
    pub fn health(&self) -> Health {
        let unanswered = lock(&self.0.under_way).map(|it| it.began.elapsed()).unwrap_or_default();
        Health { unanswered, ..lock(&self.0.health).clone() }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> JournalCounts {
        let Counts { commits, changes, failures, last_commit, batches, took, durable_after } = &self.0.counts;
        let committing = lock(&self.0.under_way).map(|it| it.since);
        let oldest = lock(&self.0.queue).oldest().into_iter().chain(committing).min();
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
        drop(lock(&self.queue).busy.take());
    }

    /// The entries of the next batch, and since when the oldest has been waiting. If there are none, arms the bell again and
    /// returns `None`.
    fn take(&self) -> Option<(Vec<Entry>, Instant)> {
        let mut queue = lock(&self.queue);
        let Some(Taken { entries, bytes, since }) = queue.take() else {
            queue.rung = false;
            queue.busy = None;
            return None;
        };
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
        drop(queue);
        self.drained.notify_waiters();
        Some((entries, since))
    }

    /// How many entries are queued.
    fn entries(&self) -> usize {
        lock(&self.queue).len()
    }

    /// The database rejects this entry: nothing that its run submitted later may be committed without it.
    fn reject(&self, entry: &Entry, error: &Error) {
        let mut queue = lock(&self.queue);
        let freed = queue.reject(entry.run, &entry.origin, error);
        self.queued.fetch_sub(freed, Ordering::Relaxed);
    }

    /// Put entries that could not be written back at the front, in their order. They have been waiting since `since`.
    fn put_back(&self, entries: Vec<Entry>, since: Instant) {
        let mut queue = lock(&self.queue);
        self.queued.fetch_add(queue.put_back(entries, since), Ordering::Relaxed);
        drop(queue);
        // If the journal was closed meanwhile, only what was in the queue then was refused.
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

    fn note_under_way(&self, commit: Option<UnderWay>) {
        *lock(&self.under_way) = commit;
    }

    /// A batch was committed. Its commit began at `began`; its oldest change was submitted at `since`.
    fn note_commit(&self, changes: usize, began: Instant, since: Instant) {
        let (counts, now) = (&self.counts, crate::real_time::now());
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

/// An entry without changes, which only marks a place in the queue.
struct Flush(Mutex<Option<tokio::sync::oneshot::Sender<()>>>);

impl Flush {
    fn done(&self) {
        if let Some(tell) = lock(&self.0).take() {
            // The waiter may have been dropped.
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

/// Closes the journal if its writer panics. Otherwise runs would queue forever while the executor keeps sending heartbeats.
pub(crate) struct CloseOnPanic(pub(crate) Arc<Shared>);

impl Drop for CloseOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let executor = &self.0.executor;
            let next = "the executor drops its runs and joins again";
            tracing::error!(target: "onward::database", %executor, next, "the journal's writer panicked because of a bug in Onward");
            self.0.close();
        }
    }
}
