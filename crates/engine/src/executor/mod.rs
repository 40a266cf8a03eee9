//! The executor: the runs that this process owns, and the seat that gives it the right to execute them.

mod declared;
mod gate;
mod learned;
mod logged;
pub(crate) mod message_requests;
mod register;
pub(crate) mod registry;
mod residents;
pub(crate) mod run;
mod runs;
mod silent;
mod unstranded;
pub(crate) mod waiters;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use onward_store::{Health, JournalCounts, Known, RECOVERIES_MAX, Seat, Store};
use onward_types::{QueueRecord, Retention};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use declared::Declared;
pub(crate) use gate::Gate;
use learned::Learned;
pub(crate) use message_requests::MessageRequests;
use registry::Registry;
pub(crate) use residents::{Expected, Residents};
use silent::Silent;
pub(crate) use waiters::Waiters;

use crate::metrics::{Counters, Metrics, QueueMetrics};
use crate::mocks::Mocks;
use crate::places::Places;
use crate::states::States;
use crate::story::Story;
use crate::sync::lock;
use crate::trouble::{Trouble, Troubles};

/// The settings of an executor.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// An executor without a heartbeat for this long is dead.
    pub(crate) lease: Duration,
    /// A run that only waits is parked after this long, or after 200 times the duration of its replay if that is longer.
    pub(crate) park_after: Duration,
    /// With more runs in memory than this, waiting runs are parked.
    pub(crate) residents_max: usize,
    /// At most this many bodies of steps run at once.
    pub(crate) steps_max: usize,
    /// How many recoveries without progress a run has whose starter and workflow do not say.
    pub(crate) max_recoveries: u32,
    /// The rules for deleting ended runs; without rules all are kept.
    pub(crate) retention: Vec<Retention>,
    /// Stand-ins for the bodies of steps, in a test.
    pub(crate) mocks: Mocks,
}

/// How many bodies of steps run at once by default, for each core. A body that awaits an answer takes a few kilobytes and no core, so
/// the default holds back nobody who waits for others; it is there for a flood, before memory and sockets run out.
const STEPS_PER_CORE: usize = 10_000;

impl Default for Options {
    fn default() -> Options {
        Options {
            lease: Duration::from_secs(5),
            park_after: Duration::from_secs(5),
            residents_max: 10_000,
            steps_max: STEPS_PER_CORE * std::thread::available_parallelism().map_or(1, NonZero::get),
            max_recoveries: RECOVERIES_MAX,
            retention: Vec::new(),
            mocks: Mocks::default(),
        }
    }
}

/// One executor, across all the seats it takes.
pub(crate) struct Executor {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) states: Arc<States>,
    pub(crate) options: Options,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) residents: Arc<Residents>,
    pub(crate) gate: Gate,
    pub(crate) message_requests: MessageRequests,
    /// Notified when a claim may find runs.
    pub(crate) claim_now: Notify,
    /// Notified when a claim from queues may find runs.
    pub(crate) queues_now: Notify,
    /// The queues from which this process may be able to claim; `queue_now` is notified when one is added.
    queues_named: Mutex<BTreeSet<String>>,
    pub(crate) queue_now: Notify,
    /// The limits of queues that this process has declared.
    pub(crate) declared: Declared,
    /// Notified when a deadline was set that may be the earliest.
    pub(crate) deadline_set: Notify,
    /// Notified when a run has ended that may have children which end with it.
    pub(crate) parent_ended: Notify,
    /// Notified when more runs are in memory than allowed.
    pub(crate) crowded: Notify,
    /// Executors without a heartbeat for their leases.
    pub(crate) silent: Silent,
    /// Notified when an executor was declared dead, so that its runs are orphans.
    pub(crate) declared_dead: Notify,
    /// The places of bodies of steps.
    pub(crate) places: Arc<Places>,
    /// Replays in progress: each holds a history in memory.
    pub(crate) replays: Arc<Semaphore>,
    pub(crate) draining: AtomicBool,
    pub(crate) counters: Counters,
    pub(crate) story: Story,
    /// The counters of the journals of earlier seats.
    before: Mutex<JournalCounts>,
    seat: RwLock<Arc<Seat>>,
    handle: Handle,
    workflows: RwLock<Arc<Known>>,
    /// Held while the workflows of the executor are announced, so that each announcement has all of them.
    pub(crate) announcing: tokio::sync::Mutex<()>,
    learned: Learned,
    troubles: Troubles,
    /// The counts of the queues when they were last read.
    depths: Mutex<Vec<QueueRecord>>,
}

/// A commit without an answer for this long is reported.
const UNANSWERED: Duration = Duration::from_secs(3);

/// How long a start waits for a database that takes no commits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How many runs are claimed at once.
pub(crate) const CLAIM_MAX: usize = 500;

/// How many histories are loaded and replayed at once.
pub(crate) const REPLAYS_MAX: usize = 64;

impl Executor {
    pub(crate) fn new(
        store: Store,
        registry: Registry,
        states: States,
        options: Options,
        seat: Seat,
        waiters: Arc<Waiters>,
    ) -> Arc<Executor> {
        let workflows = RwLock::new(Arc::new(Known::new(registry.keys())));
        let places = Places::new(options.steps_max);
        let gate = Gate::new(store.clock().clone(), options.lease, store.is_shared());
        Arc::new(Executor {
            store,
            registry,
            states: Arc::new(states),
            options,
            waiters,
            residents: Arc::default(),
            gate,
            message_requests: MessageRequests::default(),
            claim_now: Notify::new(),
            queues_now: Notify::new(),
            queues_named: Mutex::default(),
            queue_now: Notify::new(),
            declared: Declared::default(),
            deadline_set: Notify::new(),
            parent_ended: Notify::new(),
            crowded: Notify::new(),
            silent: Silent::default(),
            declared_dead: Notify::new(),
            places,
            replays: Arc::new(Semaphore::new(REPLAYS_MAX)),
            draining: AtomicBool::new(false),
            counters: Counters::default(),
            story: Story::default(),
            before: Mutex::default(),
            seat: RwLock::new(Arc::new(seat)),
            handle: Handle::current(),
            workflows,
            announcing: tokio::sync::Mutex::default(),
            learned: Learned::default(),
            troubles: Troubles::default(),
            depths: Mutex::default(),
        })
    }

    /// The current seat.
    pub(crate) fn seat(&self) -> Arc<Seat> {
        self.seat.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn take_seat(&self, seat: Seat) {
        let mut place = self.seat.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, Arc::new(seat));
        self.lock_before().add(&old.journal.counts());
    }

    /// The metrics across all its seats.
    pub(crate) fn metrics(&self) -> Metrics {
        let (executor, journal) = {
            // Under the lock: between two seats the old journal would be counted twice or not at all.
            let seat = self.seat.read().unwrap_or_else(PoisonError::into_inner);
            let mut journal = seat.journal.counts();
            journal.add(&self.lock_before());
            (seat.executor.to_string(), journal)
        };
        let mut metrics = self.counters.read(executor, journal, self.residents.len());
        metrics.heartbeat_age = self.gate.age();
        (metrics.steps_running, metrics.steps_waiting) = (self.places.taken() as u64, self.places.waiting() as u64);
        metrics.trouble = self.troubles();
        let now = self.store.clock().now();
        metrics.queues = self.lock_depths().iter().map(|queue| QueueMetrics::of(queue, now)).collect();
        metrics
    }

    /// Stores the latest counts of the queues.
    pub(crate) fn note_depths(&self, queues: Vec<QueueRecord>) {
        *self.lock_depths() = queues;
    }

    fn lock_depths(&self) -> MutexGuard<'_, Vec<QueueRecord>> {
        lock(&self.depths)
    }

    fn lock_before(&self) -> MutexGuard<'_, JournalCounts> {
        lock(&self.before)
    }

    /// The workflows that are registered.
    pub(crate) fn workflows(&self) -> Arc<Known> {
        self.workflows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A claim may find runs.
    pub(crate) fn ring_claimers(&self) {
        self.claim_now.notify_one();
        self.queues_now.notify_one();
    }

    /// A claim from this queue may find runs. Thousands of runs may call this at once.
    pub(crate) fn ring_queue(&self, queue: &str) {
        let mut named = lock(&self.queues_named);
        if !named.contains(queue) {
            named.insert(queue.to_owned());
        }
        drop(named);
        self.queue_now.notify_one();
    }

    /// The queues for which `ring_queue` was called.
    pub(crate) fn take_named_queues(&self) -> BTreeSet<String> {
        std::mem::take(&mut *lock(&self.queues_named))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(self.store.clock().task(task)));
    }

    /// A task failed to do one of its duties.
    pub(crate) fn trouble(&self, task: &'static str, duty: impl Into<Cow<'static, str>>, message: String) {
        let duty = duty.into();
        if self.troubles.note(task, duty.clone(), self.store.clock().now(), &message) {
            self.log_trouble(task, &duty, &message);
        }
    }

    /// A task did this duty, or no longer has it.
    pub(crate) fn no_trouble(&self, task: &'static str, duty: impl Into<Cow<'static, str>>) {
        if let Some(over) = self.troubles.clear(task, duty.into()) {
            self.log_over(&over);
        }
    }

    /// A task has only these duties left.
    pub(crate) fn keep_trouble(&self, task: &'static str, has: impl Fn(&str) -> bool) {
        for over in self.troubles.keep(task, has) {
            self.log_over(&over);
        }
    }

    /// What the executor currently fails to do, oldest first.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let mut all = self.troubles.all();
        all.extend(self.journal_trouble());
        all.sort_by_key(|trouble| trouble.since);
        all
    }

    /// Why no changes become durable at the moment, if so.
    pub(crate) fn journal_trouble(&self) -> Option<Trouble> {
        let Health { failing, unanswered } = self.seat().journal.health();
        let (since, message) = match failing {
            Some((since, said)) => (since, format!("the database takes no commits: {said}")),
            None if unanswered > UNANSWERED => {
                let now = self.store.clock().now();
                let since = now.checked_sub(unanswered).unwrap_or(now);
                (since, format!("the database has not answered a commit for {} s", unanswered.as_secs()))
            }
            None => return None,
        };
        Some(Trouble { task: "journal".to_owned(), since, message })
    }
}
