//! While the database takes no commits: stops callers from waiting for the start of a run, which starts all the same once the
//! database does, and logs when this begins and when it ends. Also logs how many lines the log of the last minute lacks.

use std::sync::Arc;
use std::time::Duration;

use onward_types::Timestamp;

use super::SWEEP;
use crate::executor::{Executor, PATIENCE};
use crate::story::clipped;

/// A shorter failure is not logged: a lock of another session, for example.
const LOGGED_AFTER: Duration = Duration::from_secs(2);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut logged = None;
    loop {
        executor.store.clock().rest(SWEEP).await;
        let since = log(&executor, &mut logged);
        if since.is_some_and(|since| has_lasted(&executor, since, PATIENCE)) {
            for core in executor.residents.all() {
                core.creations.dismiss_starter();
            }
        }
        executor.story.end_minutes();
    }
}

/// Logs the begin and the end of a failure. Returns since when the database takes no commits, if it does not.
fn log(executor: &Executor, logged: &mut Option<Timestamp>) -> Option<Timestamp> {
    let trouble = executor.journal_trouble();
    let by = executor.seat();
    match (&trouble, *logged) {
        (Some(trouble), None) if has_lasted(executor, trouble.since, LOGGED_AFTER) => {
            *logged = Some(trouble.since);
            tracing::warn!(
                target: "onward::database",
                executor = %by.executor,
                since = %trouble.since,
                error = &*clipped(&trouble.message),
                "the database takes no commits: nothing is lost, and the runs wait"
            );
        }
        (None, Some(since)) => {
            *logged = None;
            tracing::info!(target: "onward::database", executor = %by.executor, %since, "the database takes commits again");
        }
        _ => {}
    }
    trouble.map(|trouble| trouble.since)
}

fn has_lasted(executor: &Executor, since: Timestamp, long: Duration) -> bool {
    executor.store.clock().now().duration_since(since).unsigned_abs() >= long
}
