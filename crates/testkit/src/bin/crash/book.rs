//! What the supervisor knows: which runs were accepted, what was done to them, and what it was told of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The runs, by their ids.
#[derive(Default)]
pub(crate) struct Book {
    runs: Mutex<BTreeMap<String, Entry>>,
    faults: Mutex<Vec<String>>,
    notes: Mutex<BTreeMap<&'static str, u32>>,
    /// When the copies of runs were made, by their ids.
    copies: Mutex<BTreeMap<String, i64>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The seed of its program.
    pub(crate) seed: u64,
    /// What it comes to.
    pub(crate) expected: u64,
    pub(crate) steering: Steering,
    /// Whether it ever was: then it may have given its slot of a queue away in between.
    pub(crate) was_steered: bool,
    /// What a client was told that it came to.
    pub(crate) told: Option<u64>,
}

/// How a run was steered last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Steering {
    Never,
    /// It was cancelled, and this was acknowledged at that time.
    Cancelled(i64),
    /// It was cancelled, and then resumed.
    Resumed,
    /// Something was asked for, and the answer was lost.
    Unclear,
}

impl Book {
    pub(crate) fn accept(&self, id: &str, seed: u64, expected: u64) {
        let entry = Entry { seed, expected, steering: Steering::Never, was_steered: false, told: None };
        lock(&self.runs).insert(id.to_owned(), entry);
    }

    pub(crate) fn steer(&self, id: &str, steering: Steering) {
        if let Some(entry) = lock(&self.runs).get_mut(id) {
            entry.steering = steering;
            entry.was_steered = true;
        }
    }

    /// Somebody was told the result of a run. It may never change again.
    pub(crate) fn tell(&self, id: &str, value: u64) {
        if let Some(entry) = lock(&self.runs).get_mut(id) {
            let before = entry.told.replace(value);
            if value != entry.expected || before.is_some_and(|before| before != value) {
                let Entry { seed, expected, .. } = entry;
                let said = format!("run {id} (program {seed}) gave {value}, before {before:?}, expected {expected}");
                lock(&self.faults).push(said);
            }
        }
    }

    /// Something is wrong that is no run's final state.
    pub(crate) fn fault(&self, what: String) {
        lock(&self.faults).push(what);
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        lock(&self.faults).clone()
    }

    /// Something was done so many times.
    pub(crate) fn note(&self, what: &'static str) {
        *lock(&self.notes).entry(what).or_default() += 1;
    }

    pub(crate) fn notes(&self) -> BTreeMap<&'static str, u32> {
        lock(&self.notes).clone()
    }

    /// This run, and all that have ids which begin with its own, came as a file at this time.
    pub(crate) fn copy(&self, id: &str, at: i64) {
        lock(&self.copies).insert(id.to_owned(), at);
    }

    /// When this run came as a file, if it did.
    pub(crate) fn copied_at(&self, id: &str) -> Option<i64> {
        let first = id.split_once('-').map_or(id, |(first, _)| first);
        lock(&self.copies).get(first).copied()
    }

    pub(crate) fn get(&self, id: &str) -> Option<Entry> {
        lock(&self.runs).get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<(String, Entry)> {
        lock(&self.runs).iter().map(|(id, entry)| (id.clone(), entry.clone())).collect()
    }

    /// Runs that somebody has seen the end of.
    pub(crate) fn ended(&self) -> Vec<String> {
        let runs = lock(&self.runs);
        let ended = runs.iter().filter(|(_, entry)| entry.told.is_some() && entry.steering == Steering::Never);
        ended.map(|(id, _)| id.clone()).collect()
    }

    /// Runs that nobody has steered and nobody has seen the end of.
    pub(crate) fn open(&self) -> Vec<String> {
        let runs = lock(&self.runs);
        let open = runs.iter().filter(|(_, entry)| entry.told.is_none() && entry.steering == Steering::Never);
        open.map(|(id, _)| id.clone()).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
