//! Folding: many changes become their net effect, one row at a time, sorted by kind.
//!
//! A statement per kind changes the order between kinds, and a statement over many rows may touch a row once only. So a
//! batch is folded before it is written: a wait that was opened and closed in it is not written, an attempt that began and
//! ended in it is one row. Rows of one kind keep the order of their changes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use onward_types::{ExecutorId, Json, RunKey, Timestamp};

use crate::change::{AttemptChange, Change, Checkpoint, Leave, NewChunk, NewRun, NewWait};

/// The net effect of some changes, ready to be written in this order of fields.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Who writes.
    pub(crate) executor: Option<ExecutorId>,
    /// The number of the batch; the fence stands at the number before.
    pub(crate) number: u64,
    /// Runs whose owner made these changes. Those of revoked runs are left out.
    pub(crate) owned: Vec<RunKey>,
    /// Runs to create. `by` is the run that creates it: its parent, or itself.
    pub(crate) creates: Vec<Create>,
    pub(crate) checkpoints: Vec<(RunKey, Checkpoint)>,
    pub(crate) attempts: Vec<(RunKey, AttemptChange)>,
    /// Messages that were taken: which, and by the call at which position.
    pub(crate) consumed: Vec<(RunKey, i64, u32)>,
    /// Why messages fit no call.
    pub(crate) refusals: Vec<(RunKey, Refusal)>,
    /// The last value of each event.
    pub(crate) events: Vec<(RunKey, Event)>,
    /// Every value that events had; of those that one step set, the last.
    pub(crate) event_history: Vec<(RunKey, Event)>,
    pub(crate) chunks: Vec<(RunKey, NewChunk)>,
    /// Hooks that are closed, by the calls that opened them.
    pub(crate) closed_hooks: Vec<(RunKey, u32)>,
    /// Waits that end. Before those that begin: between two attempts, a position closes one wait and opens another.
    pub(crate) closed: Vec<(RunKey, u32)>,
    pub(crate) opened: Vec<(RunKey, NewWait)>,
    /// In the order of their keys, which is the order in which rows are locked.
    pub(crate) updates: Vec<Update>,
    /// How many changes went in, and how many bytes they have.
    pub(crate) changes: usize,
    pub(crate) bytes: usize,
}

impl Batch {
    /// The runs that began, or wait in their queues: where the answer was lost nobody knows which. They are taken for waiting: one
    /// that began is found among those that are ours and in nobody's memory.
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

/// A value that an event had.
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

/// A run's row at the end of the batch.
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
    let Folding { mut batch, events, refusals, opened, updates, .. } = folding;
    batch.executor = Some(executor.clone());
    batch.number = number;
    batch.events = events.into_iter().map(|((run, _), event)| (run, event)).collect();
    batch.refusals = refusals.into_iter().map(|((run, _), refusal)| (run, refusal)).collect();
    batch.opened = opened.into_iter().map(|((run, _), wait)| (run, wait)).collect();
    batch.updates = updates.into_iter().map(|(run, leave)| Update { run, leave }).collect();
    batch
}

#[derive(Default)]
struct Folding {
    batch: Batch,
    /// Where in the batch an attempt stands that may yet end.
    attempts: HashMap<(RunKey, u32, u32), usize>,
    /// Where in the batch the value stands that a call gave to an event.
    history: HashMap<(RunKey, u32, Arc<str>), usize>,
    events: BTreeMap<(RunKey, Arc<str>), Event>,
    refusals: BTreeMap<(RunKey, i64), Refusal>,
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
            // A wait that is open already keeps its time, here as in the table.
            Change::OpenWait(wait) => {
                self.opened.entry((run, wait.position)).or_insert_with(|| wait.clone());
            }
            // After a crash a wait is opened again that is in the table still: it has to go even if it was opened here.
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
            Change::CloseHook(position) => self.batch.closed_hooks.push((run, *position)),
            Change::Append(chunk) => self.batch.chunks.push((run, (**chunk).clone())),
            Change::Leave(leave) => {
                self.updates.insert(run, leave.clone());
            }
        }
    }

    /// A statement touches a row once only.
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
        let rows = &mut self.batch.attempts;
        match self.attempts.entry((run, attempt.position, attempt.attempt)) {
            Entry::Occupied(at) => {
                let row = &mut rows[*at.get()].1;
                row.finished_at = attempt.finished_at;
                row.error.clone_from(&attempt.error);
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
    use onward_types::Error;
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
        };
        let ended = AttemptChange { finished_at: Some(at), ..begun.clone() };
        let batch = folded(vec![Change::Attempt(begun), Change::Attempt(ended)]);
        assert_eq!(batch.attempts.len(), 1);
        assert_eq!(batch.attempts[0].1.finished_at, Some(at));
    }
}
