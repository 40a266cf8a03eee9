//! Releases the runs of dead executors, so that any executor can claim them. It scans by state, so it also finds what a crash
//! in the middle of a release left.

use std::sync::Arc;

use onward_types::{Code, Error};

use super::{SWEEP, note};
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    // Also deletes executors that died before this one started.
    let mut forgets = true;
    loop {
        if let Some(recovered) = note(&executor, "recoverer", "release", release(&executor).await)
            && (recovered > 0 || forgets)
        {
            forgets = note(&executor, "recoverer", "forget", executor.store.forget_dead().await).is_none();
        }
        tokio::select! {
            () = executor.store.clock().rest(SWEEP) => {}
            () = executor.declared_dead.notified() => forgets = true,
        }
    }
}

/// Releases orphaned runs. Returns how many there were; an error if some could not be released.
async fn release(executor: &Executor) -> Result<usize, Error> {
    let mut all = 0;
    loop {
        let some = executor.store.release_orphans().await?;
        executor.counters.recoveries.many(some.released);
        executor.counters.given_up.many(some.given_up);
        all += some.total();
        if some.total() > 0 {
            tracing::info!(runs = some.total(), "released the runs of dead executors");
            executor.notify_ready();
            continue;
        }
        return match some.why {
            Some(why) => {
                let message = format!("{} cancelled runs of dead executors cannot be released: {why}", some.left);
                Err(Error::new(Code::Busy, message))
            }
            None => Ok(all),
        };
    }
}
