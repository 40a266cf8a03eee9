//! Ends the recording of changes when the last follower has vanished. Followers tidy up themselves while they live.

use std::sync::Arc;
use std::time::Duration;

use super::note;
use crate::executor::Executor;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);

pub(crate) async fn run(executor: Arc<Executor>) {
    let clock = executor.store.clock().clone();
    loop {
        clock.rest(EVERY).await;
        note(&executor, "feed", "tend", executor.store.tend_changes_of_others().await);
    }
}
