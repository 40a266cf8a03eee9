//! Releases revoked runs, and ends sleeps that were woken from outside: on a signal, and on a sweep each second. Also loads
//! runs that this executor owns in the database but not in memory, because the answer to a commit was lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use onward_store::{Seat, Signal};
use onward_types::{Error, RunKey};

use super::claimer::{self, Taken};
use super::{SignalReceiver, note};
use crate::executor::Executor;

/// After this many sweeps, all owned runs are compared with those in memory.
const COMPARE_EVERY: u32 = 5;
/// A claim that takes longer waits for a lock.
const CLAIMS_END_WITHIN: Duration = Duration::from_millis(500);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut signals = SignalReceiver::new(&executor);
    let mut sweeps = 0;
    loop {
        match signals.next(&executor).await {
            Some(Signal::Revoked(keys)) => executor.revoke(&keys),
            Some(Signal::Woken(_)) => wake(&executor).await,
            Some(Signal::Look) => sweep(&executor).await,
            None => {
                sweep(&executor).await;
                sweeps += 1;
                if sweeps % COMPARE_EVERY == 0 {
                    compare(&executor).await;
                }
            }
            Some(
                Signal::Ready
                | Signal::Queued(_)
                | Signal::Finished(_)
                | Signal::Sent(_)
                | Signal::Said(_)
                | Signal::Listening,
            ) => {}
        }
    }
}

async fn sweep(executor: &Arc<Executor>) {
    let seat = executor.seat();
    if let Some(keys) = note(executor, "steerer", "revoked", executor.store.revoked(&seat.executor).await) {
        executor.revoke(&keys);
    }
    wake(executor).await;
}

/// Ends sleeps that were woken from outside. Their rows are deleted together with their results, so that none is lost before.
async fn wake(executor: &Arc<Executor>) {
    let seat = executor.seat();
    for (key, position) in
        note(executor, "steerer", "woken", executor.store.woken(&seat.executor).await).unwrap_or_default()
    {
        if let Some(core) = executor.residents.get(key) {
            core.with_state(|state| state.wake_up(position));
        }
    }
}

/// Loads runs that this executor owns but that are not in memory.
async fn compare(executor: &Arc<Executor>) {
    let seat = executor.seat();
    if executor.is_draining() {
        return;
    }
    let Some(Some(lost)) = note(executor, "steerer", "compare", lost(executor, &seat).await) else { return };
    let taken = Taken::new(executor, lost.owned);
    for key in lost.revoked {
        executor.release_absent_revoked(&seat, key);
    }
    if taken.len() > 0 {
        tracing::info!(
            target: "onward::executor",
            executor = %seat.executor,
            runs = taken.len(),
            "the answer to a claim was lost: loading runs that this executor owns and that are not in memory"
        );
        // Loading may take long, and revoked runs must not wait for it.
        let of = executor.clone();
        executor.spawn(async move { claimer::load(&of, &seat, taken).await });
    }
}

#[derive(Default)]
struct Lost {
    owned: Vec<RunKey>,
    revoked: Vec<RunKey>,
}

/// The runs that this executor owns in the database and that are absent here. A run may be absent because it has just left:
/// then the second read no longer finds it. Or because its claim has not ended: so each read is followed by a wait for the
/// claims in progress. `None`: one of them takes too long; the next round tries again.
async fn lost(executor: &Arc<Executor>, seat: &Seat) -> Result<Option<Lost>, Error> {
    let mut before: Option<HashSet<RunKey>> = None;
    loop {
        let owned = executor.store.owned(&seat.executor).await?;
        let revoked = executor.store.revoked(&seat.executor).await?;
        if !executor.residents.claims_ended(CLAIMS_END_WITHIN).await {
            return Ok(None);
        }
        let absent = |key: &RunKey| {
            executor.residents.is_absent(*key) && before.as_ref().is_none_or(|before| before.contains(key))
        };
        let lost = Lost {
            owned: owned.into_iter().filter(absent).collect(),
            revoked: revoked.into_iter().filter(absent).collect(),
        };
        if before.is_some() || (lost.owned.is_empty() && lost.revoked.is_empty()) {
            return Ok(Some(lost));
        }
        before = Some(lost.owned.into_iter().chain(lost.revoked).collect());
    }
}
