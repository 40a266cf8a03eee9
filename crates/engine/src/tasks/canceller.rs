//! Cancels runs whose deadline has passed, wherever they are: in memory, parked or waiting for an executor. Also cancels the
//! children that are to end with their parent once that has ended.

use std::sync::Arc;
use std::time::Duration;

use onward_store::Overdue;
use onward_types::Error;

use super::{SWEEP, note, nothing_to};
use crate::executor::Executor;

/// How often ended parents are looked for, whatever the signals say: after a crash between the end of a run and the cancel of its
/// children.
const PARENTS: Duration = Duration::from_secs(10);

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    let mut parents = clock.now();
    loop {
        if parents <= clock.now() {
            let cancelled = note(&executor, "canceller", "cancel children", cancel_children(&executor).await);
            parents = onward_store::add(clock.now(), if cancelled.is_some() { PARENTS } else { SWEEP });
        }
        let looked = note(&executor, "canceller", "look", executor.store.next_deadline().await);
        let next = looked.flatten();
        if next.is_some_and(|deadline| deadline <= clock.now()) {
            let cancelled = note(&executor, "canceller", "cancel", cancel(&executor).await);
            if cancelled != Some(true) {
                // The remaining runs wait for a lock of someone else, or for the database.
                clock.rest(SWEEP).await;
            }
            continue;
        }
        if looked.is_some() {
            nothing_to(&executor, "canceller", "cancel");
        }
        // Another process may set an earlier deadline, so this checks at least once per sweep.
        let sweep = onward_store::add(clock.now(), SWEEP);
        let until = next.map_or(sweep, |deadline| deadline.min(sweep));
        tokio::select! {
            () = clock.rest_until(until, next) => {}
            () = executor.parent_ended.notified() => parents = clock.now(),
            () = executor.deadline_set.notified() => {}
        }
    }
}

/// Cancels overdue runs. Returns whether there were any; an error if some could not be cancelled.
async fn cancel(executor: &Executor) -> Result<bool, Error> {
    let overdue = executor.store.cancel_overdue().await?;
    if !overdue.cancelled.runs.is_empty() {
        tracing::info!(
            target: "onward::executor",
            executor = %executor.seat().executor,
            runs = overdue.cancelled.runs.len(),
            "cancelled runs whose deadlines have passed, with their children"
        );
    }
    all(overdue, "runs past their deadlines")
}

/// Cancels the children of ended parents that end with them.
async fn cancel_children(executor: &Executor) -> Result<bool, Error> {
    all(executor.store.cancel_outlived().await?, "children whose parents have ended")
}

fn all(Overdue { cancelled, left, why }: Overdue, what: &str) -> Result<bool, Error> {
    match why {
        Some(why) => Err(Error::new(why.kind(), format!("{left} {what} could not be cancelled: {}", why.message()))),
        None => Ok(!cancelled.runs.is_empty()),
    }
}
