//! Cancels runs whose deadline has passed, wherever they are: in memory, parked or waiting for an executor.

use std::sync::Arc;

use onward_store::Overdue;
use onward_types::Error;

use super::{SWEEP, note};
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
        let next = note(&executor, "canceller", "look", executor.store.next_deadline().await).flatten();
        if next.is_some_and(|deadline| deadline <= clock.now()) {
            let cancelled = note(&executor, "canceller", "cancel", cancel(&executor).await);
            if cancelled != Some(true) {
                // What is left waits for somebody's lock, or for the database.
                clock.sleep(SWEEP).await;
            }
            continue;
        }
        // Without a deadline of its own to wait for it still looks now and then: others may have set one.
        let sweep = onward_store::add(clock.now(), SWEEP);
        let until = next.map_or(sweep, |deadline| deadline.min(sweep));
        tokio::select! {
            () = clock.sleep_until(until) => {}
            () = executor.deadline_set.notified() => {}
        }
    }
}

/// Cancel what is overdue. Says whether anything was; an error, if some could not be.
async fn cancel(executor: &Executor) -> Result<bool, Error> {
    let Overdue { cancelled, left, why } = executor.store.cancel_overdue().await?;
    match why {
        Some(why) => Err(Error::new(why.kind(), format!("{left} runs are past their deadlines: {}", why.message()))),
        None => Ok(!cancelled.runs.is_empty()),
    }
}
