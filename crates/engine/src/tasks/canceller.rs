//! Cancels runs whose deadline has passed, wherever they are: in memory, parked or waiting for an executor.

use std::sync::Arc;

use onward_store::Overdue;
use onward_types::Error;

use super::{SWEEP, note, nothing_to};
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
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
            () = executor.deadline_set.notified() => {}
        }
    }
}

/// Cancels overdue runs. Returns whether there were any; an error if some could not be cancelled.
async fn cancel(executor: &Executor) -> Result<bool, Error> {
    let Overdue { cancelled, left, why } = executor.store.cancel_overdue().await?;
    match why {
        Some(why) => Err(Error::new(
            why.kind(),
            format!("{left} runs past their deadlines could not be cancelled: {}", why.message()),
        )),
        None => Ok(!cancelled.runs.is_empty()),
    }
}
