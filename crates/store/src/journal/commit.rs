//! The life of a batch: it is written, retried, resolved after a lost answer, or split until the culprit is found.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onward_types::{Code, Error, RunKey, StepKind, Taken};
use tracing::Instrument;

use super::{Batch, CloseOnPanic, Entry, Shared, UnderWay, fold};
use crate::activity::{Activity, Busy};
use crate::change::{Change, Created, Existing};
use crate::clock::Clock;
use crate::fault::{Cure, Fault};

/// The pause before the first retry; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A batch is halved after its session was lost this many times and each time the batch turned out not to be committed.
const LOST_MAX: u32 = 3;
/// The changes of a single run are given up after this many more lost sessions, if the database committed an empty batch before
/// each of them.
const STRIKES_MAX: u32 = 8;

/// After a batch with at least this many runs, the next one gathers first.
const MANY: usize = 8;
/// How often at most the gathering checks whether more entries have arrived.
const LOOKS: usize = 20;

/// Writes batches to one database.
pub(crate) trait Writer {
    /// Write the batch in one transaction, all or nothing. `Ok` means that every statement had its expected effect and that the
    /// commit is durable.
    fn write(&mut self, batch: &Batch) -> impl Future<Output = Result<Committed, Fault>> + Send;

    /// After [`Cure::Reopen`]: reopen the database and check, under the fence's lock, whether the batch was committed. `None`:
    /// it was not, and the same batch may be written again.
    fn look(&mut self, batch: &Batch) -> impl Future<Output = Result<Option<Committed>, Fault>> + Send;

    /// Wait before a retry.
    fn pause(&mut self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// Let other tasks run briefly.
    fn moment(&mut self) -> impl Future<Output = ()> + Send;

    /// Report the result of a batch to all origins. Returns whether every entry hit a busy row. A writer may delegate this, as
    /// long as batches are reported in order.
    fn settle(&mut self, settlement: Settlement) -> bool {
        settlement.settle()
    }
}

/// The result of a committed batch.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Runs that were revoked from this owner: none of their changes were written.
    pub(crate) refused: HashSet<RunKey>,
    /// Runs that were revoked from this owner while the batch was being written: all of their changes were written except their
    /// leave.
    pub(crate) late: HashSet<RunKey>,
    /// Runs whose row was locked by another session: all of their changes were written except the update of the row.
    pub(crate) busy: HashSet<RunKey>,
    /// Runs that set an event and thereby made a parked waiter claimable.
    pub(crate) woke: HashSet<RunKey>,
    /// Creates that created no run, by its key, with the reason: a run has the same id, or the same dedup key in the queue.
    pub(crate) not_created: HashMap<RunKey, Created>,
    /// Runs that were created with this owner for a queue and have to wait in it.
    pub(crate) waiting: HashSet<RunKey>,
}

impl Committed {
    /// Runs whose child could not be created because its id is taken: their other changes were left out.
    fn conflicting(&self, batch: &Batch) -> HashMap<RunKey, Error> {
        if self.not_created.is_empty() {
            return HashMap::new();
        }
        let conflict = |create: &super::fold::Create| {
            let error = match self.not_created.get(&create.run.key).filter(|_| create.run.must_be_new)? {
                Created::Existing(existing) => is_stranger(existing, create.run.parent.unwrap_or((create.by, 0)))
                    .unwrap_or_else(|| {
                        let message = format!("a run with the id {:?} already exists", existing.id);
                        Taken::by(&existing.id).refused(Code::Conflict, message)
                    }),
                Created::Duplicate(holder) => {
                    let message = format!("run {:?} already has the dedup key of the new run", holder.id);
                    Error::new(Code::Deduplicated, message)
                }
                Created::New | Created::Waiting(_) => return None,
            };
            Some((create.by, error))
        };
        batch.creates.iter().filter_map(conflict).collect()
    }
}

/// Entries being committed, with the batch they form.
pub(crate) struct Pending {
    entries: Vec<Entry>,
    batch: Batch,
    /// Since when the oldest entry has been waiting.
    since: Instant,
}

impl Pending {
    fn new(shared: &Shared, entries: Vec<Entry>, since: Instant) -> Pending {
        let number = shared.number.load(Ordering::SeqCst) + 1;
        let batch = fold(&shared.executor, number, &entries);
        Pending { entries, batch, since }
    }
}

/// A committed batch whose origins have not been informed yet.
pub(crate) struct Settlement {
    shared: Arc<Shared>,
    /// `None` once they were informed.
    pending: Option<(Pending, Committed)>,
    _busy: Option<Busy>,
}

impl Settlement {
    fn new(shared: &Arc<Shared>, pending: Pending, committed: Committed) -> Settlement {
        let _busy = shared.activity.as_ref().map(Activity::begin);
        Settlement { shared: shared.clone(), pending: Some((pending, committed)), _busy }
    }

    pub(crate) fn changes(&self) -> usize {
        self.pending.as_ref().map_or(0, |(pending, _)| pending.batch.changes)
    }

    pub(crate) fn settle(mut self) -> bool {
        let _guard = CloseOnPanic(self.shared.clone());
        self.pending.take().is_some_and(|(pending, committed)| self.shared.settle(pending, &committed))
    }
}

/// If it is dropped before the origins were informed, they must not wait for an answer that never comes.
impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some((pending, _)) = self.pending.take() {
            self.shared.close();
            tell(&pending.entries, |entry| entry.origin.refused());
        }
    }
}

/// Commit the queued entries, batch by batch, until the queue is empty or the journal is closed. Stops after `most` batches so
/// that others who share the writer get their turn; returns whether there is more.
pub(crate) async fn drain<W: Writer>(writer: &mut W, shared: &Arc<Shared>, clock: &Clock, most: usize) -> bool {
    for _ in 0..most {
        if shared.is_closed() {
            return false;
        }
        gather(writer, shared).await;
        let Some((entries, since)) = shared.take() else { return false };
        shared.latest.store(entries.len(), Ordering::Relaxed);
        commit_all(writer, shared, clock, entries, since).await;
    }
    true
}

/// After a large batch its runs submit their next changes one by one; committing the first few alone would waste a commit. Keep
/// gathering while more arrive, up to half the previous batch.
async fn gather<W: Writer>(writer: &mut W, shared: &Shared) {
    let wanted = shared.latest.load(Ordering::Relaxed) / 2;
    let mut before = 0;
    for _ in 0..LOOKS {
        let there = shared.entries();
        if wanted < MANY / 2 || there >= wanted || there == before {
            return;
        }
        before = there;
        writer.moment().await;
    }
}

/// The names of the steps that these entries record.
fn steps(entries: &[Entry]) -> impl Iterator<Item = &str> {
    entries.iter().flat_map(|entry| &entry.changes).filter_map(|change| match change {
        Change::Checkpoint(it) if it.kind == StepKind::Step => Some(&*it.name),
        _ => None,
    })
}

/// Commit `entries` as one batch, or as several if the database rejects a value in it or loses its session over it.
async fn commit_all<W: Writer>(
    writer: &mut W,
    shared: &Arc<Shared>,
    clock: &Clock,
    entries: Vec<Entry>,
    since: Instant,
) {
    let mut parts = VecDeque::from([entries]);
    while let Some(entries) = parts.pop_front() {
        let pending = Pending::new(shared, entries, since);
        if pending.batch.changes == 0 {
            writer.settle(Settlement::new(shared, pending, Committed::default()));
            continue;
        }
        let began = crate::real_time::now();
        let Batch { number, changes, ref owned, .. } = pending.batch;
        let span = tracing::debug_span!(target: "onward::journal", "onward.commit", batch = number, changes, runs = owned.len());
        shared.note_under_way(Some(UnderWay { began, since }));
        let alone = owned.len() == 1;
        let mut committed = commit(writer, shared, clock, &pending.batch, LOST_MAX).instrument(span.clone()).await;
        let mut pending = pending;
        if alone && matches!(&committed, Err(fault) if fault.cure == Cure::Reopen) {
            (pending, committed) = commit_suspect(writer, shared, clock, pending.entries, since).instrument(span).await;
        }
        shared.note_under_way(None);
        match committed {
            Ok(committed) => {
                shared.number.store(pending.batch.number, Ordering::SeqCst);
                shared.note_commit(pending.batch.changes, began, since);
                crate::crash::point("batch.committed");
                if let Some(activity) = &shared.activity
                    && steps(&pending.entries).any(|step| activity.is_lost_after(step))
                {
                    shared.close();
                }
                let conflicting = committed.conflicting(&pending.batch);
                for entry in pending.entries.iter().filter(|_| !conflicting.is_empty()) {
                    // What the run submitted later must not be committed without these changes.
                    conflicting.get(&entry.run).into_iter().for_each(|error| shared.reject(entry, error));
                }
                if writer.settle(Settlement::new(shared, pending, committed)) {
                    writer.pause(PAUSE).await;
                }
            }
            Err(fault) if fault.cure == Cure::Rejoin => {
                tell(&pending.entries, |entry| entry.origin.refused());
                for entries in parts {
                    tell(&entries, |entry| entry.origin.refused());
                }
                return shared.close();
            }
            Err(fault) => match halves(pending.entries) {
                Ok((first, second)) => {
                    parts.push_front(second);
                    parts.push_front(first);
                }
                // Only one run is left, so it is the culprit.
                Err(entries) => {
                    // What the run submitted later must not be committed without these changes.
                    entries.iter().take(1).for_each(|entry| shared.reject(entry, &fault.error));
                    tell(&entries, |entry| entry.origin.rejected(&fault.error));
                }
            },
        }
    }
}

/// Write the changes of a single run over which the session was lost repeatedly. The run is to blame if that continues although
/// the database commits an empty batch on an equally new session each time. If the empty batches lose their sessions too, the
/// network is to blame and no run is given up.
async fn commit_suspect<W: Writer>(
    writer: &mut W,
    shared: &Arc<Shared>,
    clock: &Clock,
    mut entries: Vec<Entry>,
    since: Instant,
) -> (Pending, Result<Committed, Fault>) {
    let (mut strikes, mut pause) = (0, PAUSE);
    loop {
        let probe = Pending::new(shared, Vec::new(), since);
        match commit(writer, shared, clock, &probe.batch, 1).await {
            Ok(_) => shared.number.store(probe.batch.number, Ordering::SeqCst),
            Err(fault) if fault.cure == Cure::Reopen => {
                strikes = 0;
                continue;
            }
            Err(fault) => return (Pending::new(shared, entries, since), Err(fault)),
        }
        let pending = Pending::new(shared, entries, since);
        let fault = match commit(writer, shared, clock, &pending.batch, 1).await {
            Err(fault) if fault.cure == Cure::Reopen => fault,
            done => return (pending, done),
        };
        // A session that timed out means that the database is slow.
        strikes += u32::from(!fault.is_busy());
        if strikes >= STRIKES_MAX {
            return (pending, Err(gave_up(&fault)));
        }
        entries = pending.entries;
        writer.pause(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn gave_up(fault: &Fault) -> Fault {
    let message = format!(
        "the database closes the connection whenever it receives this run's changes, but accepts everything else. Its last \
         error: {}",
        fault.error.message()
    );
    Fault::new(Cure::LeaveOut, fault.error.kind(), message)
}

/// Write one batch, retrying as long as necessary. Fails only if a retry is useless or, with [`Cure::Reopen`], if the batch
/// lost its session `lost_max` times and was not committed.
async fn commit<W: Writer>(
    writer: &mut W,
    shared: &Shared,
    clock: &Clock,
    batch: &Batch,
    lost_max: u32,
) -> Result<Committed, Fault> {
    let mut pause = PAUSE;
    let mut unknown = false;
    let mut lost = Lost::default();
    loop {
        batch.is_written_at(clock.now());
        let tried = if unknown { writer.look(batch).await } else { writer.write(batch).await.map(Some) };
        let fault = match tried {
            Ok(Some(committed)) => return Ok(committed),
            Ok(None) => {
                unknown = false;
                if lost.times >= lost_max
                    && let Some(fault) = lost.last.take()
                {
                    return Err(fault);
                }
                continue;
            }
            Err(fault) => fault,
        };
        let error = fault.error.clone();
        match fault.cure {
            Cure::TryAgain => {}
            Cure::Reopen => {
                if !unknown {
                    lost = Lost { times: lost.times + 1, last: Some(fault) };
                }
                unknown = true;
            }
            // It is still unknown whether the batch was committed, whatever prevents the lookup.
            Cure::LeaveOut if unknown => {}
            // For example a refused login or a file that became read-only: no change is to blame, so none is given up.
            Cure::None => {}
            Cure::Rejoin if !unknown => {
                // The fence did not move. Either we were declared dead, or this batch is committed already: a session that
                // seemed lost wrote it after we had sent it again.
                unknown = true;
                continue;
            }
            Cure::Rejoin | Cure::LeaveOut => return Err(fault),
        }
        shared.note_failing(clock.now(), &error);
        let (executor, error) = (&shared.executor, error.message());
        tracing::debug!(target: "onward::database", %executor, error, "a commit failed and is retried");
        if shared.is_closed() {
            return Err(Fault::fenced());
        }
        writer.pause(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// How often the session was lost while a batch was being written.
#[derive(Default)]
struct Lost {
    times: u32,
    last: Option<Fault>,
}

fn tell(entries: &[Entry], what: impl Fn(&Entry)) {
    entries.iter().for_each(what);
}

/// Split by runs into two halves. Returns the entries as `Err` if they belong to a single run.
fn halves(entries: Vec<Entry>) -> Result<(Vec<Entry>, Vec<Entry>), Vec<Entry>> {
    let mut runs: Vec<RunKey> = entries.iter().map(|entry| entry.run).collect();
    runs.sort_unstable();
    runs.dedup();
    if runs.len() < 2 {
        return Err(entries);
    }
    let middle = runs[runs.len() / 2];
    Ok(entries.into_iter().partition(|entry| entry.run < middle))
}

impl Shared {
    /// Report the result to every origin, and requeue entries that hit a busy row. Returns whether all entries did: then an
    /// immediate retry would only spin.
    fn settle(&self, pending: Pending, committed: &Committed) -> bool {
        let Committed { refused, late, busy, woke, not_created, waiting } = committed;
        let conflicting = committed.conflicting(&pending.batch);
        let mut again = Vec::new();
        let all = pending.entries.len();
        for mut entry in pending.entries {
            if refused.contains(&entry.run) {
                entry.origin.refused();
                continue;
            }
            for change in &entry.changes {
                match change {
                    // The parent is rejected below.
                    Change::Create(run) if run.must_be_new && not_created.contains_key(&run.key) => {}
                    Change::Create(run) => {
                        let waits = match run.executor {
                            Some(_) => waiting.contains(&run.key),
                            None => run.is_claimable_in_queue(),
                        };
                        let created = match (not_created.get(&run.key), &run.queued) {
                            (Some(why), _) => why.clone(),
                            (None, Some(queued)) if waits => Created::Waiting(queued.queue.clone()),
                            (None, _) => Created::New,
                        };
                        entry.origin.created(run.key, created);
                    }
                    Change::Checkpoint(it) if it.kind == StepKind::Step => crate::crash::point("step.recorded"),
                    _ => {}
                }
            }
            if let Some(error) = conflicting.get(&entry.run) {
                entry.origin.rejected(error);
                continue;
            }
            if woke.contains(&entry.run) {
                entry.origin.woke();
            }
            let leaves = matches!(entry.changes.last(), Some(Change::Leave(_)));
            if late.contains(&entry.run) {
                entry.origin.committed(if leaves { entry.upto - 1 } else { entry.upto });
                entry.origin.refused();
            } else if leaves && busy.contains(&entry.run) {
                entry.origin.committed(entry.upto - 1);
                entry.changes.drain(..entry.changes.len() - 1);
                again.push(entry);
            } else {
                entry.origin.committed(entry.upto);
            }
        }
        let all_busy = again.len() == all;
        if !again.is_empty() {
            self.put_back(again, pending.since);
        }
        all_busy
    }
}

/// Why a child cannot have this id: it belongs to another run, and attaching to that one would give the parent a stranger's
/// result. `None` if the existing run is this child, created before a crash.
#[must_use]
pub fn is_stranger(existing: &Existing, parent: (RunKey, u32)) -> Option<Error> {
    if existing.parent == Some(parent) {
        return None;
    }
    let by_whom = match existing.parent {
        Some((key, position)) => format!("run {key} at position {position}"),
        None => "a client".to_owned(),
    };
    let message = format!("the child's id {:?} is taken by a run that was started by {by_whom}", existing.id);
    Some(Taken::by(&existing.id).refused(Code::Conflict, message))
}
