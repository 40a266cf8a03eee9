//! The queue of a journal: entries in the order of submission, and the runs whose entries are rejected.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;

use onward_types::{Error, RunKey};

use super::{BATCH_BYTES, BATCH_CHANGES, Entry, Origin};
use crate::activity::Busy;
use crate::change::{Change, Leave, LeaveHow};

#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Queued>,
    /// Whether the writer was notified and has not emptied the queue since.
    pub(super) rung: bool,
    /// Present from when the writer was notified until it has settled everything, if that is counted.
    pub(super) busy: Option<Busy>,
    /// Runs of which a change was rejected. Their later changes must not be committed without it.
    rejected: HashMap<RunKey, Rejected>,
}

struct Queued {
    entry: Entry,
    bytes: usize,
    /// Since when it has been waiting.
    since: Instant,
}

struct Rejected {
    /// The origin that made the rejected change. The run's next owner has a new origin and continues from what is recorded.
    origin: Weak<dyn Origin>,
    error: Error,
}

/// What goes into the next batch.
pub(super) struct Taken {
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: usize,
    /// Since when the oldest of them has been waiting.
    pub(super) since: Instant,
}

impl Queue {
    /// Append an entry and return its size in bytes. An entry of a rejected run is returned as an error, unless the run leaves
    /// its owner with it.
    pub(super) fn push(&mut self, mut entry: Entry) -> Result<usize, (Entry, Error)> {
        if !self.rejected.is_empty()
            && let Some(error) = self.rejection_of(&mut entry)
        {
            return Err((entry, error));
        }
        let bytes = entry.size();
        self.entries.push_back(Queued { entry, bytes, since: crate::real_time::now() });
        Ok(bytes)
    }

    /// Why this entry must not be written: an earlier change of its origin was rejected. If the run is held or released by this
    /// entry, only that last change is kept and written.
    fn rejection_of(&mut self, entry: &mut Entry) -> Option<Error> {
        let rejected = self.rejected.get(&entry.run)?;
        let is_same = std::ptr::addr_eq(rejected.origin.as_ptr(), Arc::as_ptr(&entry.origin));
        let leaves = entry.changes.last().is_some_and(gives_up);
        if is_same && !leaves {
            return Some(rejected.error.clone());
        }
        if is_same {
            entry.changes.drain(..entry.changes.len() - 1);
        }
        self.rejected.remove(&entry.run);
        None
    }

    /// The database rejected a change of this run: drop the run's queued entries, and accept none until it leaves its owner.
    /// Returns how many bytes were freed.
    pub(super) fn reject(&mut self, run: RunKey, origin: &Arc<dyn Origin>, error: &Error) -> usize {
        self.rejected.retain(|_, rejected| rejected.origin.strong_count() > 0);
        self.rejected.insert(run, Rejected { origin: Arc::downgrade(origin), error: error.clone() });
        let mut freed = 0;
        self.entries.retain(|queued| {
            let dropped = queued.entry.run == run;
            freed += if dropped { queued.bytes } else { 0 };
            !dropped
        });
        freed
    }

    /// Take the entries of the next batch. An entry that is larger than a batch is cut: its changes are ordered, so a prefix
    /// may be committed first.
    pub(super) fn take(&mut self) -> Option<Taken> {
        let since = self.entries.front()?.since;
        let (mut changes, mut bytes, mut count) = (0, 0, 0);
        for queued in &self.entries {
            changes += queued.entry.changes.len();
            if count > 0 && (changes > BATCH_CHANGES || bytes + queued.bytes > BATCH_BYTES) {
                break;
            }
            bytes += queued.bytes;
            count += 1;
        }
        let mut entries: Vec<Entry> = self.entries.drain(..count).map(|queued| queued.entry).collect();
        if bytes > BATCH_BYTES
            && let [large] = &mut entries[..]
            && let Some(rest) = large.cut(BATCH_BYTES)
        {
            let left = rest.size();
            bytes -= left;
            self.entries.push_front(Queued { entry: rest, bytes: left, since });
        }
        Some(Taken { entries, bytes, since })
    }

    /// Put entries that have been waiting since `since` back at the front, in their order. Returns their size in bytes.
    pub(super) fn put_back(&mut self, entries: Vec<Entry>, since: Instant) -> usize {
        let mut all = 0;
        for entry in entries.into_iter().rev() {
            let bytes = entry.size();
            all += bytes;
            self.entries.push_front(Queued { entry, bytes, since });
        }
        all
    }

    /// Take everything.
    pub(super) fn empty(&mut self) -> Vec<Entry> {
        self.entries.drain(..).map(|queued| queued.entry).collect()
    }

    /// How many entries are queued.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Since when the oldest entry has been waiting.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|queued| queued.since)
    }
}

/// Whether the run leaves its owner with this change, regardless of the changes before it.
fn gives_up(change: &Change) -> bool {
    matches!(change, Change::Leave(Leave { how: LeaveHow::Held { by: None, .. } | LeaveHow::LetGo, .. }))
}

impl Entry {
    fn size(&self) -> usize {
        self.changes.iter().map(Change::size).sum()
    }

    /// Keep the first changes, about `bytes` bytes, and return the rest as a new entry. `None` if it cannot be cut: the changes
    /// of one call stay together, except chunks that the body of a step appends.
    fn cut(&mut self, bytes: usize) -> Option<Entry> {
        let mut size = 0;
        let mut at = None;
        for (index, change) in self.changes.iter().enumerate() {
            if index > 0 && may_be_parted(&self.changes[index - 1], change) {
                if size > bytes && at.is_some() {
                    break;
                }
                at = Some(index);
                if size > bytes {
                    break;
                }
            }
            size += change.size();
        }
        let (whole, at) = (self.upto, at.filter(|_| size > bytes)?);
        let changes = self.changes.split_off(at);
        self.upto -= changes.len() as u64;
        Some(Entry { run: self.run, origin: self.origin.clone(), changes, upto: whole })
    }
}

/// Whether the first of two consecutive changes may be committed without the second.
fn may_be_parted(first: &Change, second: &Change) -> bool {
    let appended_by_body = matches!(first, Change::Append(chunk) if chunk.attempt > 0);
    appended_by_body || position(first) != position(second)
}

/// The position of the call that made a change; `None` for a refusal and a leave, which belong to no call.
fn position(change: &Change) -> Option<u32> {
    match change {
        Change::Create(run) => run.parent.map(|(_, position)| position),
        Change::Checkpoint(it) => Some(it.position),
        Change::Attempt(it) => Some(it.position),
        Change::OpenWait(it) => Some(it.position),
        Change::CloseWait(position) | Change::CloseHook(position) | Change::EndHook(position) => Some(*position),
        Change::Consume { position, .. } | Change::SetEvent { position, .. } => Some(*position),
        Change::RequestPerson { position, .. } => Some(*position),
        Change::Append(chunk) => Some(chunk.position),
        Change::Refuse { .. } | Change::Leave(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use onward_types::{ChunkBody, Json, StepKind, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::change::{Checkpoint, Created, NewChunk};

    struct Nobody;
    impl Origin for Nobody {
        fn committed(&self, _: u64) {}
        fn refused(&self) {}
        fn rejected(&self, _: &Error) {}
        fn created(&self, _: RunKey, _: Created) {}
    }

    fn chunk(position: u32, attempt: u32, bytes: usize) -> Change {
        let body = ChunkBody::Bytes(vec![0; bytes].into());
        Change::Append(Box::new(NewChunk {
            stream: "s".into(),
            index: 0,
            position,
            attempt,
            body,
            at: Timestamp::UNIX_EPOCH,
        }))
    }

    fn checkpoint(position: u32) -> Change {
        let at = Timestamp::UNIX_EPOCH;
        Change::Checkpoint(Checkpoint {
            position,
            seq: 1,
            kind: StepKind::Stream,
            name: "s".into(),
            result: Ok(Json::null()),
            notes: None,
            started_at: at,
            finished_at: at,
        })
    }

    /// For each batch of one entry: its number of changes, and its `upto`.
    fn batches(changes: Vec<Change>) -> Vec<(usize, u64)> {
        let mut queue = Queue::default();
        let (run, upto) = (RunKey(Uuid::from_u128(1)), changes.len() as u64);
        assert!(queue.push(Entry { run, origin: Arc::new(Nobody), changes, upto }).is_ok());
        let mut taken = Vec::new();
        while let Some(Taken { entries, .. }) = queue.take() {
            taken.extend(entries.iter().map(|entry| (entry.changes.len(), entry.upto)));
        }
        taken
    }

    #[test]
    fn an_entry_that_is_larger_than_a_batch_is_cut_between_the_chunks_of_a_body() {
        let sizes = batches((0..10).map(|_| chunk(1, 1, BATCH_BYTES / 4)).collect());
        assert_eq!(sizes, [(3, 3), (3, 6), (3, 9), (1, 10)]);
        assert_eq!(batches(vec![chunk(1, 1, 2 * BATCH_BYTES), chunk(1, 1, 2 * BATCH_BYTES)]), [(1, 1), (1, 2)]);
    }

    #[test]
    fn a_batch_takes_whole_entries_up_to_so_many_changes_and_bytes() {
        let entries = |changes: Vec<Change>| {
            let mut queue = Queue::default();
            for number in 1..=6 {
                let (run, upto) = (RunKey(Uuid::from_u128(number)), changes.len() as u64);
                assert!(queue.push(Entry { run, origin: Arc::new(Nobody), changes: changes.clone(), upto }).is_ok());
            }
            let taken = std::iter::from_fn(|| queue.take());
            taken.map(|taken| taken.entries.len()).collect::<Vec<_>>()
        };
        let few = u32::try_from(BATCH_CHANGES / 3).unwrap();
        assert_eq!(entries((1..=few).map(checkpoint).collect()), [3, 3]);
        assert_eq!(entries((1..=few + 1).map(checkpoint).collect()), [2, 2, 2]);
        assert_eq!(entries(vec![chunk(1, 1, BATCH_BYTES / 4)]), [3, 3]);
        assert_eq!(entries(vec![chunk(1, 1, BATCH_BYTES / 2)]), [1; 6]);
    }

    #[test]
    fn what_one_call_makes_is_not_parted() {
        let said = |position| [chunk(position, 0, BATCH_BYTES), checkpoint(position)];
        assert_eq!(batches([said(1), said(2), said(3)].concat()), [(2, 2), (2, 4), (2, 6)]);
        assert_eq!(batches(said(1).to_vec()), [(2, 2)]);
    }
}
