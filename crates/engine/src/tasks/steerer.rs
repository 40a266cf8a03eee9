//! Lets go of runs that somebody else steered, and ends the sleeps that somebody ended: told by a signal, and looked for
//! each second. And finds runs that are ours by
//! the tables and in nobody's memory, because an answer of the database was lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use onward_store::{Seat, Signal};
use onward_types::{Error, RunKey};

use super::claimer::{self, Taken};
use super::{Ear, note};
use crate::executor::Executor;

/// Every so many sweeps, all runs that are ours are compared with those in memory.
const COMPARE_EVERY: u32 = 5;
/// A claim that takes longer waits for somebody's lock.
const CLAIMS_END_WITHIN: Duration = Duration::from_millis(500);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut ear = Ear::new(&executor);
    let mut sweeps = 0;
    loop {
        match ear.next(&executor).await {
            Some(Signal::Revoked(keys)) => executor.revoke(&keys),
            Some(Signal::Woken(_)) => wake(&executor).await,
            Some(Signal::Look) => look(&executor).await,
            None => {
                look(&executor).await;
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

async fn look(executor: &Arc<Executor>) {
    let seat = executor.seat();
    if let Some(keys) = note(executor, "steerer", "revoked", executor.store.revoked(&seat.executor).await) {
        executor.revoke(&keys);
    }
    wake(executor).await;
}

/// End the sleeps that somebody ended. Their rows go with their results, so that none is forgotten before.
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

/// Take up what is ours and in nobody's memory.
async fn compare(executor: &Arc<Executor>) {
    let seat = executor.seat();
    if executor.is_draining() {
        return;
    }
    let Some(Some(lost)) = note(executor, "steerer", "compare", lost(executor, &seat).await) else { return };
    let taken = Taken::new(executor, lost.owned);
    for key in lost.revoked {
        executor.let_go_of_unknown(&seat, key);
    }
    if taken.len() > 0 {
        tracing::warn!(runs = taken.len(), "taking up runs that were ours and in nobody's memory");
        // It may take long, and what is revoked must not wait for it.
        let of = executor.clone();
        executor.spawn(async move { claimer::load(&of, &seat, taken).await });
    }
}

#[derive(Default)]
struct Lost {
    owned: Vec<RunKey>,
    revoked: Vec<RunKey>,
}

/// What is ours by the tables and absent here. A run may be absent because it has just left: then it is not ours any more where the
/// tables are read again. Or because its claim has not ended: so after each reading those claims are waited for. None: one of
/// them takes too long, and the next round will do.
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
