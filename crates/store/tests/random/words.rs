//! What a store says, in words that are the same on every database: ids instead of keys, `executor` for any executor.

use std::collections::HashMap;
use std::fmt::Write;

use onward_store::{Cancelled, Existing, History, Recovered};
use onward_types::{Error, RunId, RunKey, RunRecord, StepRecord};

/// The ids of runs, by their keys.
#[derive(Default)]
pub(super) struct Names(pub(super) HashMap<RunKey, String>);

impl Names {
    pub(super) fn of(&self, key: RunKey) -> &str {
        self.0.get(&key).map_or("(a stranger)", String::as_str)
    }

    /// With a name wherever a key is told for want of an id: of a child that was never created.
    pub(super) fn instead_of_keys(&self, told: String) -> String {
        let keys = self.0.iter().map(|(key, name)| (RunId::of_key(*key), name));
        keys.fold(told, |told, (key, name)| told.replace(key.as_str(), name))
    }

    /// Sorted, for statements give changed rows in any order.
    pub(super) fn of_all(&self, keys: &[RunKey]) -> String {
        let mut names: Vec<&str> = keys.iter().map(|key| self.of(*key)).collect();
        names.sort_unstable();
        names.join(" ")
    }

    pub(super) fn steered(&self, steered: &Result<Cancelled, Error>) -> String {
        match steered {
            Ok(Cancelled { runs, owned, .. }) => format!("[{}], owned [{}]", self.of_all(runs), self.of_all(owned)),
            Err(error) => failed(error),
        }
    }

    pub(super) fn existing(&self, existing: &Existing) -> String {
        let parent = existing.parent.map(|(parent, at)| format!("{} at {at}", self.of(parent)));
        format!("{} {:?} of {parent:?}, hash {}", self.of(existing.key), existing.id, existing.input_hash)
    }

    pub(super) fn record(&self, run: &RunRecord) -> String {
        let RunRecord { id, status, input, output, error, started_at, finished_at, ready_at, deadline, .. } = run;
        let reason = match &run.executor {
            Some(executor) => run.reason.replace(executor.as_str(), "executor"),
            None => run.reason.clone(),
        };
        let parent = run.parent.as_ref().map(|parent| format!("{parent} at {:?}", run.parent_position));
        let owned = run.executor.is_some();
        format!(
            "{id} {status}: {}; owned {owned}, owners {}, recoveries {}; started {started_at:?}, finished {finished_at:?}, \
             ready {ready_at:?}, deadline {deadline:?}; of {parent:?}; {} -> {:?} or {:?}",
            short(&reason),
            run.owners,
            run.recoveries,
            input.as_ref().map_or("nothing".to_owned(), |it| short(it.as_str())),
            output.as_ref().map(|it| short(it.as_str())),
            error.as_ref().map(|it| short(it.as_str())),
        )
    }

    pub(super) fn history(&self, history: &Result<History, Error>) -> String {
        let run = match history {
            Ok(run) => run,
            Err(error) => return failed(error),
        };
        let checkpoints: Vec<_> = run.checkpoints.iter().map(|it| (it.position, it.seq, it.kind, &it.result)).collect();
        let mut attempts: Vec<_> = run.attempts.iter().collect();
        attempts.sort_by_key(|(position, _)| **position);
        let parent = run.parent.map(|parent| self.of(parent));
        let waits: Vec<_> = run.waits.iter().map(|wait| (wait.position, self.without_keys(&wait.wait))).collect();
        let recovered = run.recovered;
        format!("{} of {parent:?}, recovered {recovered}: {checkpoints:?}, waits {waits:?}, {attempts:?}", run.id)
    }

    fn without_keys(&self, wait: &onward_store::WaitKind) -> String {
        match wait {
            onward_store::WaitKind::Child(key) => format!("child {}", self.of(*key)),
            other => format!("{other:?}"),
        }
    }
}

/// Text that tells enough of a long one: its beginning and its length.
fn short(text: &str) -> String {
    if text.len() <= 200 { text.to_owned() } else { format!("{}… ({} bytes)", &text[..40], text.len()) }
}

pub(super) fn steps(steps: &[StepRecord]) -> String {
    let mut told = String::new();
    for step in steps {
        let StepRecord { position, kind, name, state, output, error, child, attempts, started_at, .. } = step;
        write!(
            told,
            "\n    {position} {kind} {name} {state:?} {output:?} {error:?} {child:?} {started_at:?} {attempts:?}"
        )
        .expect("a string takes everything");
    }
    told
}

pub(super) fn recovered(recovered: &Recovered) -> String {
    format!("released {}, given up {}, let go {}", recovered.released, recovered.given_up, recovered.let_go)
}

pub(super) fn failed(error: &Error) -> String {
    format!("error {}: {}", error.code(), error.message())
}
