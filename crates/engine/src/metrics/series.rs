//! What runs and steps did, by their names. The number of names is limited: a name that is made from data must not fill the
//! memory of this process and of the one that collects its metrics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use onward_store::Buckets;

use super::{Counter, StepMetrics, WorkflowMetrics};

/// The number of workflows that are counted by name. The others are counted together.
pub(crate) const WORKFLOWS_MAX: usize = 100;
/// The number of steps, of all workflows, that are counted by name. The other steps of a workflow are counted together.
pub(crate) const STEPS_MAX: usize = 200;
/// The name under which everything beyond these limits is counted.
pub(crate) const OTHER: &str = "other";
/// A run that could not be read has no workflow that is known.
const UNKNOWN: &str = "unknown";

/// The workflows that were executed here.
pub(crate) struct Series {
    workflows: Names<OfWorkflow>,
    room: AtomicUsize,
    room_for_steps: Arc<AtomicUsize>,
}

/// What the runs of one workflow did.
pub(crate) struct OfWorkflow {
    pub(crate) succeeded: Counter,
    pub(crate) failed: Counter,
    pub(crate) held: Counter,
    pub(crate) taken: Counter,
    pub(crate) run_seconds: Buckets,
    is_other: bool,
    steps: Names<OfStep>,
    room: Arc<AtomicUsize>,
}

/// What one step did.
pub(crate) struct OfStep {
    pub(crate) succeeded: Counter,
    pub(crate) failed: Counter,
    attempts_succeeded: Buckets,
    attempts_failed: Buckets,
}

type Names<T> = RwLock<HashMap<Box<str>, Arc<T>>>;

impl Default for Series {
    fn default() -> Series {
        Series {
            workflows: Names::default(),
            room: AtomicUsize::new(WORKFLOWS_MAX),
            room_for_steps: Arc::new(AtomicUsize::new(STEPS_MAX)),
        }
    }
}

impl Series {
    pub(crate) fn of(&self, workflow: &str) -> Arc<OfWorkflow> {
        let name = if workflow.is_empty() { UNKNOWN } else { workflow };
        named(&self.workflows, name, &self.room, |name| OfWorkflow {
            succeeded: Counter::default(),
            failed: Counter::default(),
            held: Counter::default(),
            taken: Counter::default(),
            run_seconds: Buckets::of_runs(),
            is_other: name == OTHER,
            steps: Names::default(),
            room: self.room_for_steps.clone(),
        })
    }

    /// All of them, by name.
    pub(super) fn read(&self) -> Vec<WorkflowMetrics> {
        sorted(&self.workflows).into_iter().map(|(name, it)| it.read(name)).collect()
    }
}

impl OfWorkflow {
    pub(crate) fn step(&self, name: &str) -> Arc<OfStep> {
        let make = |_: &str| OfStep {
            succeeded: Counter::default(),
            failed: Counter::default(),
            attempts_succeeded: Buckets::of_steps(),
            attempts_failed: Buckets::of_steps(),
        };
        // The steps of workflows that have no name here would only use up the room of others.
        named(&self.steps, if self.is_other { OTHER } else { name }, &self.room, make)
    }

    fn read(&self, name: String) -> WorkflowMetrics {
        WorkflowMetrics {
            name,
            runs_succeeded: self.succeeded.read(),
            runs_failed: self.failed.read(),
            runs_held: self.held.read(),
            runs_taken: self.taken.read(),
            run_seconds: self.run_seconds.read(),
            steps: sorted(&self.steps).into_iter().map(|(name, it)| it.read(name)).collect(),
        }
    }
}

impl OfStep {
    /// An attempt ended.
    pub(crate) fn note_attempt(&self, took: Duration, succeeded: bool) {
        let buckets = if succeeded { &self.attempts_succeeded } else { &self.attempts_failed };
        buckets.note_time(took);
    }

    fn read(&self, name: String) -> StepMetrics {
        StepMetrics {
            name,
            succeeded: self.succeeded.read(),
            failed: self.failed.read(),
            attempts_succeeded: self.attempts_succeeded.read(),
            attempts_failed: self.attempts_failed.read(),
        }
    }
}

/// The entry of this name, which is made if there is room for another one, or else that of all others.
fn named<T>(all: &Names<T>, name: &str, room: &AtomicUsize, make: impl Fn(&str) -> T) -> Arc<T> {
    {
        let all = all.read().unwrap_or_else(PoisonError::into_inner);
        let other = || all.get(OTHER).filter(|_| room.load(Ordering::Relaxed) == 0);
        if let Some(found) = all.get(name).or_else(other) {
            return found.clone();
        }
    }
    let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = all.get(name) {
        return found.clone();
    }
    let less = |room: usize| room.checked_sub(1);
    let has_room = name != OTHER && room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
    let name = if has_room { name } else { OTHER };
    all.entry(name.into()).or_insert_with(|| Arc::new(make(name))).clone()
}

fn sorted<T>(all: &Names<T>) -> Vec<(String, Arc<T>)> {
    let all = all.read().unwrap_or_else(PoisonError::into_inner);
    let mut sorted: Vec<_> = all.iter().map(|(name, it)| (name.to_string(), it.clone())).collect();
    drop(all);
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_beyond_the_limit_are_counted_together() {
        let series = Series::default();
        for number in 0..WORKFLOWS_MAX + 10 {
            series.of(&format!("w{number}")).failed.one();
        }
        series.of(OTHER).failed.one();
        series.of("w0").failed.one();
        let read = series.read();
        assert_eq!(read.len(), WORKFLOWS_MAX + 1);
        let failed = |name: &str| read.iter().find(|it| it.name == name).map(|it| it.runs_failed);
        assert_eq!((failed("w0"), failed("w1"), failed(OTHER)), (Some(2), Some(1), Some(11)));
    }

    #[test]
    fn steps_beyond_the_limit_are_counted_together_in_each_workflow() {
        let series = Series::default();
        for number in 0..STEPS_MAX + 5 {
            series.of("a").step(&format!("s{number}")).succeeded.one();
        }
        series.of("b").step("charge").succeeded.one();
        let read = series.read();
        assert_eq!((read[0].steps.len(), read[1].steps.len()), (STEPS_MAX + 1, 1));
        let other = read[0].steps.iter().find(|step| step.name == OTHER);
        assert_eq!(other.map(|step| step.succeeded), Some(5));
        assert_eq!((read[1].steps[0].name.as_str(), read[1].steps[0].succeeded), (OTHER, 1));
    }

    #[test]
    fn steps_of_workflows_beyond_the_limit_take_no_room_of_others() {
        let series = Series::default();
        for number in 0..WORKFLOWS_MAX + STEPS_MAX {
            series.of(&format!("w{number}")).failed.one();
        }
        for number in 0..STEPS_MAX {
            series.of("unheard of").step(&format!("s{number}")).failed.one();
        }
        series.of("w0").step("charge").failed.one();
        assert_eq!(
            series.read().iter().find(|it| it.name == "w0").map(|it| it.steps[0].name.clone()),
            Some("charge".into())
        );
    }
}
