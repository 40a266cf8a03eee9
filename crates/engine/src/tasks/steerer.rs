//! Lets go of runs that somebody else steered: told by a signal, and looked for each second. And finds runs that are ours by
//! the tables and in nobody's memory, because an answer of the database was lost.

use std::collections::HashSet;
use std::sync::Arc;

use onward_store::Signal;
use onward_types::RunKey;

use super::{Ear, claimer, note};
use crate::executor::Executor;

/// Every so many sweeps, all runs that are ours are compared with those in memory.
const COMPARE_EVERY: u32 = 5;

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut ear = Ear::new(&executor);
    let mut absent = HashSet::new();
    let mut sweeps = 0;
    loop {
        match ear.next(&executor).await {
            Some(Signal::Revoked(keys)) => executor.revoke(&keys),
            Some(Signal::Look) => look(&executor).await,
            None => {
                look(&executor).await;
                sweeps += 1;
                if sweeps % COMPARE_EVERY == 0 {
                    compare(&executor, &mut absent).await;
                }
            }
            Some(Signal::Ready | Signal::Finished(_) | Signal::Listening) => {}
        }
    }
}

async fn look(executor: &Arc<Executor>) {
    let seat = executor.seat();
    if let Some(keys) = note(executor, executor.store.revoked(&seat.executor).await) {
        executor.revoke(&keys);
    }
}

/// Take up what is ours and in nobody's memory, if it was so at the comparison before, too.
async fn compare(executor: &Arc<Executor>, absent: &mut HashSet<RunKey>) {
    let seat = executor.seat();
    if executor.is_draining() {
        return;
    }
    let Some(owned) = note(executor, executor.store.owned(&seat.executor).await) else { return };
    let Some(revoked) = note(executor, executor.store.revoked(&seat.executor).await) else { return };
    let before = std::mem::take(absent);
    let mut again = |keys: Vec<RunKey>| -> Vec<RunKey> {
        let missing: Vec<RunKey> = keys.into_iter().filter(|key| executor.residents.is_absent(*key)).collect();
        absent.extend(&missing);
        missing.into_iter().filter(|key| before.contains(key)).collect()
    };
    let (lost, revoked) = (again(owned), again(revoked));
    for key in revoked {
        executor.let_go_of_unknown(&seat, key).await;
    }
    if !lost.is_empty() {
        tracing::warn!(runs = lost.len(), "taking up runs that were ours and in nobody's memory");
        claimer::load(executor, &seat, lost).await;
    }
}
