//! Cancels runs whose deadline has passed, wherever they are: in memory, parked or waiting for an executor.

use std::sync::Arc;

use super::{SWEEP, note};
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
        let next = note(&executor, executor.store.next_deadline().await).flatten();
        if next.is_some_and(|deadline| deadline <= clock.now()) {
            if note(&executor, executor.store.cancel_overdue().await).is_none() {
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
