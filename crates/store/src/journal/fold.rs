//! Folding: reduces many changes to their net effect, one row each, grouped by kind.
//!
//! One statement per kind changes the order between kinds, and a statement over many rows may touch each row only once. So a
//! batch is folded before it is written: a wait that was opened and closed within it is not written, and an attempt that began
//! and ended within it becomes one row. Rows of one kind keep the order of their changes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onward_types::{ExecutorId, Json, PersonRequest, RunKey, Timestamp};

use crate::change::{AttemptChange, Change, Checkpoint, Leave, LeaveHow, NewChunk, NewRun, NewWait};

/// The net effect of a batch of changes, written in the order of these fields.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The executor that writes.
    pub(crate) executor: Option<ExecutorId>,
    /// The number of the batch; the fence still has the previous number.
    pub(crate) number: u64,
    /// Runs with changes in this batch. Revoked ones are left out when it is written.
    pub(crate) owned: Vec<RunKey>,
    /// Runs to create. `by` is the run whose change it is: the parent, or the run itself.
    pub(crate) creates: Vec<Create>,
    pub(crate) checkpoints: Vec<(RunKey, Checkpoint)>,
    pub(crate) attempts: Vec<(RunKey, AttemptChange)>,
    /// Attempts whose rows are deleted, because enough newer ones are kept: the run, the position, and the attempt.
    pub(crate) dropped_attempts: Vec<(RunKey, u32, u32)>,
    /// Messages that were taken: the run, the number of the message, and the position of the call.
    pub(crate) consumed: Vec<(RunKey, i64, u32)>,
    /// Messages that fit no call, with the reason.
    pub(crate) refusals: Vec<(RunKey, Refusal)>,
    /// The last value of each event.
    pub(crate) events: Vec<(RunKey, Event)>,
    /// Every value of each event; if one step set an event several times, only the last value.
    pub(crate) event_history: Vec<(RunKey, Event)>,
    pub(crate) chunks: Vec<(RunKey, NewChunk)>,
    /// Hooks that are closed, by the position of the call that opened them.
    pub(crate) closed_hooks: Vec<(RunKey, u32)>,
    /// Hooks that were open when their run returned.
    pub(crate) ended_hooks: Vec<(RunKey, u32)>,
    /// What people have to do, by the call that waits for one.
    pub(crate) requests: Vec<((RunKey, u32), Arc<PersonRequest>)>,
    /// Waits that end. They are written before those that begin, because between two attempts a position closes one wait and
    /// opens another.
    pub(crate) closed: Vec<(RunKey, u32)>,
    pub(crate) opened: Vec<(RunKey, NewWait)>,
    /// Sorted by key, which is the order in which rows are locked.
    pub(crate) updates: Vec<Update>,
    /// The number of changes folded, and their size in bytes.
    pub(crate) changes: usize,
    pub(crate) bytes: usize,
    /// Whether a run in it ended so long ago that those which ended then may be counted already.
    pub(crate) is_late: AtomicBool,
}

/// Less than how far the counting of ended runs stays behind the present.
const LATE: Duration = Duration::from_secs(30);

impl Batch {
    /// The batch is about to be written at this time.
    pub(crate) fn is_written_at(&self, now: Timestamp) {
        let is_late = |leave: &Leave| now.duration_since(leave.at).unsigned_abs() > LATE && leave.at < now;
        let ended = self.updates.iter().filter(|update| matches!(update.leave.how, LeaveHow::Finished(_)));
        self.is_late.store(ended.map(|update| &update.leave).any(is_late), Ordering::Relaxed);
    }

    /// The runs that this batch ends, if they may have to be counted with it.
    pub(crate) fn late(&self) -> Option<impl Iterator<Item = RunKey>> {
        let ended = self.updates.iter().filter(|update| matches!(update.leave.how, LeaveHow::Finished(_)));
        self.is_late.load(Ordering::Relaxed).then(|| ended.map(|update| update.run))
    }

    /// Runs of which the queue decides whether they start or wait. After a lost commit answer it is unknown which of them
    /// started. Treat them as waiting; the sweep for owned but non-resident runs picks up any that did.
    pub(crate) fn for_queues(&self) -> HashSet<RunKey> {
        let decided = |run: &NewRun| run.executor.is_some() && run.queued.is_some();
        self.creates.iter().filter(|create| decided(&create.run)).map(|create| create.run.key).collect()
    }
}

/// A message that is set aside.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) seq: i64,
    pub(crate) said: String,
    pub(crate) at: Timestamp,
}

/// One value of an event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) position: u32,
    pub(crate) key: Arc<str>,
    pub(crate) value: Json,
    pub(crate) at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) by: RunKey,
    pub(crate) run: Box<NewRun>,
}

/// The update of a run's row at the end of the batch.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) run: RunKey,
    pub(crate) leave: Leave,
}

/// Fold the changes of `entries`.
pub(crate) fn fold(executor: &ExecutorId, number: u64, entries: &[super::Entry]) -> Batch {
    let mut folding = Folding::default();
    let mut seen = HashSet::new();
    for entry in entries {
        if seen.insert(entry.run) {
            folding.batch.owned.push(entry.run);
        }
        for change in &entry.changes {
            folding.add(entry.run, change);
        }
    }
    let Folding { mut batch, events, refusals, requests, opened, updates, .. } = folding;
    batch.executor = Some(executor.clone());
    batch.number = number;
    batch.events = events.into_iter().map(|((run, _), event)| (run, event)).collect();
    batch.refusals = refusals.into_iter().map(|((run, _), refusal)| (run, refusal)).collect();
    batch.requests = requests.into_iter().collect();
    batch.opened = opened.into_iter().map(|((run, _), wait)| (run, wait)).collect();
    batch.updates = updates.into_iter().map(|(run, leave)| Update { run, leave }).collect();
    batch
}

#[derive(Default)]
struct Folding {
    batch: Batch,
    /// The index in the batch of each attempt that has not ended yet.
    attempts: HashMap<(RunKey, u32, u32), usize>,
    /// The index in the batch of the value that a call set.
    history: HashMap<(RunKey, u32, Arc<str>), usize>,
    events: BTreeMap<(RunKey, Arc<str>), Event>,
    refusals: BTreeMap<(RunKey, i64), Refusal>,
    requests: BTreeMap<(RunKey, u32), Arc<PersonRequest>>,
    opened: BTreeMap<(RunKey, u32), NewWait>,
    updates: BTreeMap<RunKey, Leave>,
}

impl Folding {
    fn add(&mut self, run: RunKey, change: &Change) {
        self.batch.changes += 1;
        self.batch.bytes += change.size();
        match change {
            Change::Create(new) => self.batch.creates.push(Create { by: run, run: new.clone() }),
            Change::Checkpoint(checkpoint) => self.batch.checkpoints.push((run, checkpoint.clone())),
            Change::Attempt(attempt) => self.attempt(run, attempt),
            // A wait that is open already keeps its time, as in the table.
            Change::OpenWait(wait) => {
                self.opened.entry((run, wait.position)).or_insert_with(|| wait.clone());
            }
            // Even if it was opened in this batch: after a crash, a wait that is still in the table is opened again, so its row
            // must be deleted.
            Change::CloseWait(position) => {
                self.opened.remove(&(run, *position));
                self.batch.closed.push((run, *position));
            }
            Change::Consume { seq, position } => self.batch.consumed.push((run, *seq, *position)),
            Change::Refuse { seq, said, at } => {
                self.refusals.insert((run, *seq), Refusal { seq: *seq, said: said.clone(), at: *at });
            }
            Change::SetEvent { position, key, value, at } => {
                let event = Event { position: *position, key: key.clone(), value: value.clone(), at: *at };
                self.events.insert((run, key.clone()), event.clone());
                self.keep(run, event);
            }
            Change::RequestPerson { position, request } => {
                self.requests.insert((run, *position), request.clone());
            }
            Change::CloseHook(position) => self.batch.closed_hooks.push((run, *position)),
            Change::EndHook(position) => self.batch.ended_hooks.push((run, *position)),
            Change::Append(chunk) => self.batch.chunks.push((run, (**chunk).clone())),
            Change::Leave(leave) => {
                self.updates.insert(run, leave.clone());
            }
        }
    }

    /// Keep only the last value of a call, because a statement may touch a row only once.
    fn keep(&mut self, run: RunKey, event: Event) {
        let rows = &mut self.batch.event_history;
        match self.history.entry((run, event.position, event.key.clone())) {
            Entry::Occupied(at) => rows[*at.get()].1 = event,
            Entry::Vacant(free) => {
                free.insert(rows.len());
                rows.push((run, event));
            }
        }
    }

    fn attempt(&mut self, run: RunKey, attempt: &AttemptChange) {
        if let Some(dropped) = attempt.drops {
            self.batch.dropped_attempts.push((run, attempt.position, dropped));
        }
        let rows = &mut self.batch.attempts;
        match self.attempts.entry((run, attempt.position, attempt.attempt)) {
            Entry::Occupied(at) => {
                let row = &mut rows[*at.get()].1;
                row.finished_at = attempt.finished_at;
                row.error.clone_from(&attempt.error);
                row.notes.clone_from(&attempt.notes);
                (row.failures, row.retry_at) = (attempt.failures, attempt.retry_at);
                if attempt.heartbeat.is_some() {
                    row.heartbeat.clone_from(&attempt.heartbeat);
                }
            }
            Entry::Vacant(free) => {
                free.insert(rows.len());
                rows.push((run, attempt.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use onward_types::{Error, Heartbeat};
    use uuid::Uuid;

    use super::*;
    use crate::change::{Created, WaitKind};
    use crate::journal::Origin;

    struct Nobody;
    impl Origin for Nobody {
        fn committed(&self, _: u64) {}
        fn refused(&self) {}
        fn rejected(&self, _: &Error) {}
        fn created(&self, _: RunKey, _: Created) {}
    }

    fn folded(changes: Vec<Change>) -> Batch {
        let run = RunKey(Uuid::from_u128(1));
        let upto = changes.len() as u64;
        fold(&ExecutorId::new("a"), 1, &[super::super::Entry { run, origin: Arc::new(Nobody), changes, upto }])
    }

    fn wait(position: u32) -> Change {
        let since = Timestamp::UNIX_EPOCH;
        Change::OpenWait(NewWait { position, name: "sleep".into(), wait: WaitKind::Timer(since), since })
    }

    #[test]
    fn a_wait_that_was_opened_and_closed_is_not_written() {
        let batch = folded(vec![wait(1), wait(2), Change::CloseWait(1), Change::CloseWait(9)]);
        assert_eq!(batch.opened.len(), 1);
        let run = RunKey(Uuid::from_u128(1));
        assert_eq!(batch.closed, [(run, 1), (run, 9)]);
    }

    #[test]
    fn of_two_values_of_an_event_the_last_one_is_written_and_both_are_kept() {
        let set = |position, value: &str| Change::SetEvent {
            position,
            key: "stage".into(),
            value: Json::from(value.to_owned()),
            at: Timestamp::UNIX_EPOCH,
        };
        let batch = folded(vec![set(1, "1"), set(2, "2")]);
        assert_eq!(batch.events.iter().map(|(_, it)| it.value.as_str()).collect::<Vec<_>>(), ["2"]);
        assert_eq!(batch.event_history.len(), 2);
    }

    #[test]
    fn an_attempt_that_began_and_ended_is_one_row() {
        let at = Timestamp::UNIX_EPOCH;
        let begun = AttemptChange {
            position: 1,
            attempt: 1,
            name: "charge".into(),
            started_at: at,
            finished_at: None,
            error: None,
            notes: None,
            failures: 0,
            retry_at: None,
            heartbeat: Some(Heartbeat { at, progress: Json::null() }),
            drops: None,
        };
        let ended = AttemptChange { finished_at: Some(at), heartbeat: None, drops: Some(7), ..begun.clone() };
        let batch = folded(vec![Change::Attempt(begun), Change::Attempt(ended)]);
        assert_eq!(batch.attempts.len(), 1);
        let (run, row) = &batch.attempts[0];
        assert_eq!(row.finished_at, Some(at));
        assert!(row.heartbeat.is_some(), "its end leaves the recorded heartbeat as it is");
        assert_eq!(batch.dropped_attempts, [(*run, 1, 7)]);
    }
}
