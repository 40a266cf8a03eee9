//! Takes waiting runs: those that were started elsewhere, whose timers are due, or whose executor died.

use std::sync::Arc;

use onward_store::{Claim, SUSPECT_AFTER, Signal};
use onward_types::{Error, RunKey, Timestamp};

use super::{SWEEP, note};
use crate::executor::{Executor, REPLAYS_MAX};

/// So many runs are taken at once.
const CLAIM_MAX: usize = 500;

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut signals = executor.store.signals();
    loop {
        while note(&executor, claim(&executor).await) == Some(true) {}
        let due = note(&executor, executor.store.next_ready(executor.workflows()).await).flatten();
        wait(&executor, due, &mut signals).await;
    }
}

/// Wait until something may be claimed: a signal, a timer, or a second.
async fn wait(executor: &Executor, due: Option<Timestamp>, signals: &mut tokio::sync::broadcast::Receiver<Signal>) {
    let clock = executor.store.clock();
    let sweep = onward_store::add(clock.now(), SWEEP);
    let until = due.map_or(sweep, |due| due.min(sweep));
    let sleep = clock.sleep_until(until);
    tokio::pin!(sleep);
    loop {
        tokio::select! {
            () = &mut sleep => return,
            () = executor.claim_now.notified() => return,
            signal = signals.recv() => match signal {
                Ok(Signal::Ready | Signal::Look) | Err(_) => return,
                Ok(Signal::Finished(_) | Signal::Revoked(_) | Signal::Listening) => {}
            },
        }
    }
}

/// Claim once. Says whether there may be more.
async fn claim(executor: &Arc<Executor>) -> Result<bool, Error> {
    if executor.is_draining() || executor.workflows().is_empty() || executor.seat().journal.is_closed() {
        return Ok(false);
    }
    let free = executor.options.residents_max.saturating_sub(executor.residents.len());
    if free == 0 {
        executor.crowded.notify_one();
        return Ok(false);
    }
    let limit = free.min(CLAIM_MAX);
    let taken = take(executor, limit, false).await?;
    let full = taken.len() == limit;
    load(executor, taken).await?;
    // A run that may have killed its process is recovered alone, so that it takes no innocent with it; the next one once
    // this one has shown that it does not.
    if !executor.residents.has_suspect(executor.store.clock().uptime()) {
        let suspect = take(executor, 1, true).await?;
        load(executor, suspect).await?;
    }
    Ok(full)
}

async fn take(executor: &Arc<Executor>, limit: usize, suspects: bool) -> Result<Vec<RunKey>, Error> {
    let claim = Claim {
        executor: executor.seat().executor.clone(),
        workflows: executor.workflows(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        suspects,
    };
    executor.store.claim(claim).await
}

/// Load what was claimed, some at a time: each history is memory until it was replayed.
async fn load(executor: &Arc<Executor>, mut keys: Vec<RunKey>) -> Result<(), Error> {
    while !keys.is_empty() {
        let some = keys.split_off(keys.len().saturating_sub(REPLAYS_MAX));
        let places = u32::try_from(some.len()).unwrap_or(u32::MAX);
        let Ok(mut places) = executor.replays.clone().acquire_many_owned(places).await else { return Ok(()) };
        let loaded = loop {
            match executor.store.load(some.clone()).await {
                Ok(loaded) => break loaded,
                // They are claimed: only the fence can take them away again.
                Err(error) if !executor.seat().journal.is_closed() => {
                    executor.note_trouble(Some(error.message().to_owned()));
                    executor.store.clock().sleep(SWEEP).await;
                }
                Err(error) => return Err(error),
            }
        };
        for (key, history) in loaded {
            match history {
                Ok(history) => {
                    let Some(place) = places.split(1) else { unreachable!("one place was taken for each run") };
                    executor.replay(history, place);
                }
                Err(error) => executor.hold_unreadable(key, &error),
            }
        }
    }
    Ok(())
}

const _: () = assert!(SUSPECT_AFTER > 1, "the first crash suspects nobody");
