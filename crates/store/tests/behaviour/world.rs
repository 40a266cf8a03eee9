//! Executors and runs as the tests tell of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onward_store::{
    AttemptChange, Change, Checkpoint, Claim, Clock, Created, DatabaseUrl, Entry, History, Journal, Known, Leave,
    LeaveHow, NewRun, NewWait, Origin, Queued, Seat, Store, WaitKind,
};
use onward_testkit::TestDatabase;
use onward_types::{Error, Json, RunId, RunKey, RunRecord, Status, StepKind, Timestamp};
use tokio::sync::Notify;

/// The workflow that every run of these tests has.
pub(crate) const WORKFLOW: &str = "ship";
/// As executors name it.
pub(crate) const SHIP_1: &str = "ship@1";

/// The lease of every executor here. Nothing declares one dead by it but the test itself.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// So long may nothing happen before a test is taken to hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Open the database.
pub(crate) async fn open(db: &TestDatabase) -> Store {
    open_with(db, Clock::system()).await
}

/// Open the database under this clock.
pub(crate) async fn open_with(db: &TestDatabase, clock: Clock) -> Store {
    Store::open(&url(db), clock).await.unwrap()
}

/// Where it is.
pub(crate) fn url(db: &TestDatabase) -> DatabaseUrl {
    db.url.parse().unwrap()
}

/// A process that executes runs.
pub(crate) struct Executor {
    pub(crate) store: Store,
    pub(crate) seat: Seat,
}

impl Executor {
    /// One more of this database.
    pub(crate) async fn join(store: &Store) -> Executor {
        let seat = store.join(vec![SHIP_1.to_owned()], LEASE, None).await.unwrap();
        Executor { store: store.clone(), seat }
    }

    /// Start a run, as its owner from the first moment.
    pub(crate) async fn start(&self, id: &str) -> Run {
        let run = self.begin(id);
        run.are_committed(1).await;
        run
    }

    /// The same, without waiting for its creation to be durable.
    pub(crate) fn begin(&self, id: &str) -> Run {
        let executor = Some(self.seat.executor.clone());
        let new = NewRun { executor, status: Status::Running, ready_at: None, ..new_run(&self.store, id) };
        let run = Run::of(self, new.key, id);
        run.write(vec![Change::Create(Box::new(new))]);
        run
    }

    /// Create a run for a queue, which begins it here or lets it wait.
    pub(crate) fn begin_in(&self, queue: &str, id: &str) -> Run {
        let executor = Some(self.seat.executor.clone());
        let queued = Queued { queue: queue.to_owned(), priority: 0, partition: None, dedup: None };
        let queued = Some(queued);
        let new = NewRun { executor, status: Status::Running, ready_at: None, queued, ..new_run(&self.store, id) };
        let run = Run::of(self, new.key, id);
        run.write(vec![Change::Create(Box::new(new))]);
        run
    }

    /// Claim whatever is ready.
    pub(crate) async fn claim(&self) -> Vec<RunKey> {
        let workflows = Arc::new(Known::new([SHIP_1]));
        let wanted = Claim { executor: self.seat.executor.clone(), workflows, limit: 100, suspects: false };
        self.store.claim(wanted).await.unwrap()
    }

    /// Wait until the journal has taken everything that was handed to it so far: what follows is in another batch.
    pub(crate) async fn settles(&self) {
        while self.seat.journal.counts().queued_bytes > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// A run that this executor has claimed.
    pub(crate) fn owns(&self, key: RunKey, id: &str) -> Run {
        Run::of(self, key, id)
    }

    /// Declare this executor dead, as another would after a lease.
    pub(crate) async fn is_declared_dead(&self) {
        let rows = self.store.executors().await.unwrap();
        let row = rows.iter().find(|row| row.id == self.seat.executor).unwrap();
        assert!(self.store.declare_dead(&row.id, row.beat).await.unwrap());
    }
}

/// A run, as its owner has it.
pub(crate) struct Run {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    journal: Journal,
    heard: Arc<Heard>,
    made: Mutex<u64>,
}

impl Run {
    fn of(executor: &Executor, key: RunKey, id: &str) -> Run {
        let heard = Arc::default();
        Run { key, id: run_id(id), journal: executor.seat.journal.clone(), heard, made: Mutex::new(0) }
    }

    /// Hand changes to the journal.
    pub(crate) fn write(&self, changes: Vec<Change>) {
        let mut made = self.made.lock().unwrap();
        *made += changes.len() as u64;
        self.journal.submit(Entry { run: self.key, origin: self.heard.clone(), changes, upto: *made });
    }

    /// Hand changes to the journal and wait until they are durable.
    pub(crate) async fn writes(&self, changes: Vec<Change>) {
        self.write(changes);
        let made = *self.made.lock().unwrap();
        self.are_committed(made).await;
    }

    /// Wait until it is known what became of the changes: whether they are all durable.
    pub(crate) async fn is_durable(&self) -> bool {
        let made = *self.made.lock().unwrap();
        let told = self.heard.wait_for(|told| told.committed >= made || told.refused || told.rejected.is_some()).await;
        assert!(told.rejected.is_none(), "{:?}: {told:?}", self.id);
        told.committed >= made
    }

    /// Wait until the first `upto` changes are durable.
    pub(crate) async fn are_committed(&self, upto: u64) {
        let told = self.heard.wait_for(|told| told.committed >= upto || told.refused || told.rejected.is_some()).await;
        assert!(told.committed >= upto, "{:?}: {told:?}", self.id);
    }

    /// Wait until the journal refuses the changes of this run.
    pub(crate) async fn is_refused(&self) -> Told {
        self.heard.wait_for(|told| told.refused).await
    }

    /// Wait until the journal says that no database takes a change of this run.
    pub(crate) async fn is_rejected(&self) -> Told {
        self.heard.wait_for(|told| told.rejected.is_some()).await
    }

    /// Wait until the outcome of `n` creates is known.
    pub(crate) async fn has_created(&self, n: usize) -> Vec<(RunKey, Created)> {
        self.heard.wait_for(|told| told.created.len() >= n).await.created
    }

    /// What the journal has told so far.
    pub(crate) fn told(&self) -> Told {
        self.heard.told.lock().unwrap().clone()
    }
}

/// What the journal told a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) committed: u64,
    pub(crate) refused: bool,
    pub(crate) rejected: Option<String>,
    pub(crate) created: Vec<(RunKey, Created)>,
}

#[derive(Default)]
struct Heard {
    told: Mutex<Told>,
    more: Notify,
}

impl Heard {
    fn note(&self, what: impl FnOnce(&mut Told)) {
        what(&mut self.told.lock().unwrap());
        self.more.notify_waiters();
    }

    async fn wait_for(&self, done: impl Fn(&Told) -> bool) -> Told {
        loop {
            let more = self.more.notified();
            let told = self.told.lock().unwrap().clone();
            if done(&told) {
                return told;
            }
            // No test comes near it. It names the one that hangs.
            tokio::time::timeout(PATIENCE, more).await.unwrap_or_else(|_| panic!("no more was told than {told:?}"));
        }
    }
}

impl Origin for Heard {
    fn committed(&self, upto: u64) {
        self.note(|told| told.committed = upto);
    }

    fn refused(&self) {
        self.note(|told| told.refused = true);
    }

    fn rejected(&self, error: &Error) {
        self.note(|told| told.rejected = Some(error.to_string()));
    }

    fn created(&self, run: RunKey, created: Created) {
        self.note(|told| told.created.push((run, created)));
    }
}

/// A run that anyone may claim.
pub(crate) fn new_run(store: &Store, id: &str) -> NewRun {
    let now = store.clock().now();
    NewRun {
        key: RunKey(store.clock().uuid()),
        id: run_id(id),
        workflow: WORKFLOW.to_owned(),
        version: "1".to_owned(),
        is_open: false,
        executor: None,
        status: Status::Enqueued,
        ready_at: Some(now),
        created_at: now,
        timeout: None,
        deadline: None,
        recoveries_max: Some(10),
        retry: None,
        on_parent_end: None,
        parent: None,
        origin: onward_types::Origin::Started,
        input: json(&id),
        input_hash: 7,
        identity: None,
        attributes: None,
        queued: None,
        must_be_new: false,
    }
}

/// An id, unchecked, so that a test can use one that no caller could.
pub(crate) fn run_id(id: &str) -> RunId {
    RunId::recorded(id.to_owned())
}

pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Json {
    Json::encode(value).unwrap()
}

/// A step's result at a position, delivered in the order of positions.
pub(crate) fn step(position: u32, output: &str) -> Change {
    let at = Timestamp::UNIX_EPOCH;
    Change::Checkpoint(Checkpoint {
        position,
        seq: u64::from(position),
        kind: StepKind::Step,
        name: "charge".into(),
        result: Ok(json(output)),
        notes: None,
        started_at: at,
        finished_at: at,
    })
}

/// A failed or, with no end, a slow attempt.
pub(crate) fn attempt(position: u32, attempt: u32, error: Option<&str>) -> Change {
    let at = Timestamp::UNIX_EPOCH;
    let finished_at = error.map(|_| at);
    Change::Attempt(AttemptChange {
        position,
        attempt,
        name: "charge".into(),
        started_at: at,
        finished_at,
        error: error.map(json),
        notes: None,
        failures: error.map_or(0, |_| attempt),
        retry_at: None,
        heartbeat: None,
        drops: None,
    })
}

pub(crate) fn wait(position: u32, wait: WaitKind) -> Change {
    Change::OpenWait(NewWait { position, name: "wait".into(), wait, since: Timestamp::UNIX_EPOCH })
}

pub(crate) fn leave(store: &Store, parent: Option<RunKey>, how: LeaveHow) -> Change {
    Change::Leave(Leave { at: store.clock().now(), parent, how, slot: None })
}

pub(crate) fn finish(store: &Store, output: &str) -> Change {
    leave(store, None, LeaveHow::Finished(Ok(json(output))))
}

/// What the store says of a run.
pub(crate) async fn record(store: &Store, id: &RunId) -> RunRecord {
    store.describe(id).await.unwrap()
}

/// The outputs that a run has recorded, in the order of positions.
pub(crate) async fn outputs(store: &Store, id: &RunId) -> Vec<String> {
    let steps = store.steps(id).await.unwrap();
    steps.into_iter().filter_map(|step| step.output?.decode().ok()).collect()
}

/// The history of one run, as it would be replayed.
pub(crate) async fn history(store: &Store, key: RunKey) -> Result<History, Error> {
    let mut loaded = store.load(vec![key]).await.unwrap();
    assert_eq!(loaded.len(), 1);
    loaded.remove(0).1
}

/// The same, under another name.
pub(crate) fn named_step(position: u32, name: &str) -> Change {
    let Change::Checkpoint(mut checkpoint) = step(position, "") else { unreachable!("a step is a checkpoint") };
    checkpoint.name = name.into();
    Change::Checkpoint(checkpoint)
}

/// Chance that can be had again: the same seed gives the same rolls.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number from 0 up to, but not, `end` (splitmix64).
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(end)).expect("less than a u32")
    }
}

/// Text that no compression makes short.
pub(crate) fn random_text(length: usize) -> String {
    let mut dice = Dice::seeded(1);
    (0..length).map(|_| char::from(b'!' + u8::try_from(dice.below(90)).expect("less than 90"))).collect()
}
