//! What the log says about an executor: its launch, the ends of its runs, and its shutdown.

use std::sync::Arc;
use std::time::Duration;

use onward_store::LeaveHow;
use onward_types::{Error, Retrying, Status};

use super::Executor;
use crate::executor::run::core::RunCore;
use crate::story::clipped;
use crate::trouble::Over;

/// How many workflows, or running steps, are named. The others are counted.
const NAMED_MAX: usize = 20;
/// How long a shutdown waits before the log says what it waits for, and how long until it says so again.
const SAY_AFTER: Duration = Duration::from_secs(1);
const SAY_EVERY: Duration = Duration::from_secs(30);

impl Executor {
    pub(crate) fn log_launch(&self) {
        let workflows = list(self.registry.keys());
        let lease = self.store.is_shared().then(|| tracing::field::debug(self.options.lease));
        tracing::info!(
            target: "onward::executor",
            executor = %self.seat().executor,
            database = self.store.place(),
            workflows,
            lease,
            version = env!("CARGO_PKG_VERSION"),
            "the executor is launched"
        );
    }

    pub(crate) fn log_drain(&self, limit: Duration) {
        tracing::info!(
            target: "onward::executor",
            executor = %self.seat().executor,
            runs = self.residents.len(),
            ?limit,
            "the executor shuts down: it claims no more runs, and step bodies in progress may finish"
        );
    }

    /// Logs which steps a shutdown waits for, now and then. Never ends.
    pub(crate) async fn log_waits(&self) {
        let mut pause = SAY_AFTER;
        loop {
            self.store.clock().sleep(pause).await;
            pause = SAY_EVERY;
            let steps: Vec<String> = self.residents.all().iter().flat_map(|core| core.working_steps()).collect();
            if !steps.is_empty() {
                tracing::info!(
                    target: "onward::executor",
                    executor = %self.seat().executor,
                    runs = self.residents.len(),
                    steps = list(steps),
                    "the shutdown waits for step bodies in progress"
                );
            }
        }
    }

    pub(crate) fn log_out_of_time(&self, limit: Duration) {
        let steps: Vec<String> = self.residents.all().iter().flat_map(|core| core.working_steps()).collect();
        if !steps.is_empty() {
            tracing::warn!(
                target: "onward::executor",
                executor = %self.seat().executor,
                runs = self.residents.len(),
                steps = list(steps),
                ?limit,
                "the limit of the shutdown has passed: these step bodies are dropped, and run again at the next owner of their runs"
            );
        }
    }

    pub(crate) fn log_end(&self, done: &Result<(), Error>) {
        let (executor, runs) = (&self.seat().executor, self.residents.len());
        match done {
            Ok(()) if runs == 0 => tracing::info!(target: "onward::executor", %executor, "the executor has shut down"),
            Ok(()) => tracing::warn!(
                target: "onward::executor",
                %executor,
                runs,
                "the executor has shut down, but bodies that block their threads are still in progress"
            ),
            Err(error) => tracing::warn!(
                target: "onward::executor",
                %executor,
                error = error.message(),
                "the executor has shut down without the database: others take over its runs after its lease"
            ),
        }
    }

    pub(crate) fn log_drop(&self) {
        tracing::info!(
            target: "onward::executor",
            executor = %self.seat().executor,
            runs = self.residents.len(),
            "the executor was dropped without a shutdown: its runs continue from what they recorded at the executor that takes them over"
        );
    }

    pub(crate) fn log_trouble(&self, task: &str, duty: &str, message: &str) {
        tracing::warn!(
            target: "onward::executor",
            executor = %self.seat().executor,
            task,
            duty,
            error = &*clipped(message),
            "a background task fails, and tries again"
        );
    }

    pub(crate) fn log_over(&self, over: &Over) {
        tracing::info!(
            target: "onward::executor",
            executor = %self.seat().executor,
            task = over.task,
            since = %over.since,
            error = &*clipped(&over.cause),
            "the background tasks that failed with this error work again"
        );
    }

    /// The run has left this executor.
    pub(crate) fn log_left(self: &Arc<Self>, core: &RunCore, how: &LeaveHow) {
        let (story, of) = (&self.story, core.about.named());
        match how {
            LeaveHow::Finished(Err(error)) => match Error::from_json(error) {
                Ok(error) => story.run_failed(of, &error),
                Err(unreadable) => story.run_failed(of, &unreadable),
            },
            LeaveHow::Retried(next) => {
                let Retrying { attempt, error, .. } = &next.retrying;
                let error = Error::from_json(error).unwrap_or_else(|unreadable| unreadable);
                story.run_retried(of, attempt - 1, &error, next.ready_at);
            }
            LeaveHow::Held { said, by: Some(_), .. } => story.run_paused_itself(of, said),
            LeaveHow::Held { said, by: None, .. } => story.run_held(of, said),
            LeaveHow::LetGo => self.log_stopped(core),
            LeaveHow::Finished(Ok(_)) => tracing::debug!(target: "onward::run", run = %of.run, "the run succeeded"),
            LeaveHow::Parked { .. } => {
                tracing::debug!(target: "onward::run", run = %of.run, "the run is parked: it only waits")
            }
            LeaveHow::Released => tracing::debug!(target: "onward::run", run = %of.run, "the run is released"),
            LeaveHow::Continued { .. } => {
                tracing::debug!(target: "onward::run", run = %of.run, "the run begins its next generation");
            }
        }
    }

    /// Finds out why a run was taken from this executor, and logs it.
    fn log_stopped(self: &Arc<Self>, core: &RunCore) {
        if !self.story.says_who_is_stopped() {
            return;
        }
        let (executor, id, workflow) = (self.clone(), core.about.id.clone(), core.about.workflow.clone());
        self.spawn(async move {
            let of = crate::story::Named { run: &id, workflow: &workflow };
            match executor.store.describe(&id).await {
                Ok(run) if matches!(run.status, Status::Cancelled | Status::Paused) => {
                    executor.story.run_stopped(of, run.status.as_str(), &run.reason);
                }
                Ok(run) => {
                    executor.story.run_stopped(of, run.status.as_str(), "it was cancelled or paused, and then resumed")
                }
                // It may have been deleted in the meantime.
                Err(error) => executor.story.run_stopped(of, "unknown", error.message()),
            }
        });
    }
}

/// The first of these names, and how many more there are.
fn list(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let mut list = names.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_names_is_cut_and_counted() {
        let names = |count: usize| (0..count).map(|number| format!("w{number}@1")).collect();
        assert_eq!(list(names(2)), "w0@1, w1@1");
        assert!(list(names(NAMED_MAX + 3)).ends_with(", w19@1 and 3 more"));
    }
}
