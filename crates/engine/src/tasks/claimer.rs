//! Takes waiting runs: those that were started elsewhere, whose timers are due, or whose executor died.

use std::sync::Arc;

use onward_store::{Claim, SUSPECT_AFTER, Seat, Signal};
use onward_types::{Error, RunKey, Timestamp};
use tokio::sync::broadcast::Receiver;

use super::{SWEEP, note};
use crate::executor::{Executor, Expected, REPLAYS_MAX};

/// So many runs are taken at once.
pub(crate) const CLAIM_MAX: usize = 500;

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut signals = executor.store.signals();
    let mut told = false;
    loop {
        // What was just said to be ready is taken at once; else a read tells whether anything is, for a claim takes its turn
        // among all that write.
        if told {
            claim_all(&executor).await;
        }
        let waiting = note(&executor, executor.store.waiting(executor.workflows()).await);
        if waiting.is_some_and(|waiting| waiting.is_ready) {
            claim_all(&executor).await;
        }
        if waiting.is_some_and(|waiting| waiting.is_suspect) {
            note(&executor, claim_suspect(&executor).await);
        }
        told = wait(&executor, waiting.and_then(|waiting| waiting.next), &mut signals).await;
    }
}

async fn claim_all(executor: &Arc<Executor>) {
    while note(executor, claim(executor).await) == Some(true) {}
}

/// Wait until something may be claimed: a signal, a timer, or a second. Says whether somebody said that runs are ready.
async fn wait(executor: &Executor, due: Option<Timestamp>, signals: &mut Receiver<Signal>) -> bool {
    let clock = executor.store.clock();
    let sweep = onward_store::add(clock.now(), SWEEP);
    let until = due.map_or(sweep, |due| due.min(sweep));
    let sleep = clock.sleep_until(until);
    tokio::pin!(sleep);
    loop {
        tokio::select! {
            () = &mut sleep => return false,
            () = executor.claim_now.notified() => return false,
            signal = signals.recv() => match signal {
                Ok(Signal::Ready) => return true,
                Ok(Signal::Look) | Err(_) => return false,
                Ok(_) => {}
            },
        }
    }
}

/// Whether runs may be taken now.
fn has_room(executor: &Executor, seat: &Seat) -> bool {
    if executor.is_draining() || executor.workflows().is_empty() || seat.journal.is_closed() {
        return false;
    }
    let has_room = executor.residents.len() < executor.options.residents_max;
    if !has_room {
        executor.crowded.notify_one();
    }
    has_room
}

/// Claim once. Says whether there may be more.
async fn claim(executor: &Arc<Executor>) -> Result<bool, Error> {
    let seat = executor.seat();
    if !has_room(executor, &seat) {
        return Ok(false);
    }
    let limit = executor.options.residents_max.saturating_sub(executor.residents.len()).clamp(1, CLAIM_MAX);
    let taken = take(executor, &seat, limit, false).await?;
    let full = taken.len() == limit;
    load(executor, &seat, taken).await;
    Ok(full)
}

/// A run that may have killed its process is recovered alone, so that it takes no innocent with it; the next one once this one
/// has shown that it does not.
async fn claim_suspect(executor: &Arc<Executor>) -> Result<(), Error> {
    let seat = executor.seat();
    if has_room(executor, &seat) && !executor.residents.has_suspect(executor.store.clock().uptime()) {
        let suspect = take(executor, &seat, 1, true).await?;
        load(executor, &seat, suspect).await;
    }
    Ok(())
}

/// Runs that are ours and not in memory yet.
pub(super) struct Taken {
    keys: Vec<RunKey>,
    _expected: Expected,
}

impl Taken {
    pub(super) fn new(executor: &Executor, keys: Vec<RunKey>) -> Taken {
        let _expected = executor.residents.expect(&keys);
        Taken { keys, _expected }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

async fn take(executor: &Executor, seat: &Seat, limit: usize, suspects: bool) -> Result<Taken, Error> {
    let claim = Claim {
        executor: seat.executor.clone(),
        workflows: executor.workflows(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        suspects,
    };
    let _claiming = executor.residents.claiming().await;
    let claimed = executor.store.claim(claim).await?;
    executor.counters.claims.many(claimed.len());
    Ok(Taken::new(executor, claimed))
}

/// Load runs that are ours and execute them, some at a time: each history is memory until it was replayed.
pub(super) async fn load(executor: &Arc<Executor>, seat: &Seat, taken: Taken) {
    let Taken { mut keys, _expected } = taken;
    while !keys.is_empty() && !seat.journal.is_closed() {
        let some = keys.split_off(keys.len().saturating_sub(REPLAYS_MAX));
        load_some(executor, seat, some).await;
    }
}

/// Load these runs. Where that fails again and again there are too many, or one of them cannot be loaded: then in halves.
async fn load_some(executor: &Arc<Executor>, seat: &Seat, some: Vec<RunKey>) {
    let mut parts = vec![some];
    while let Some(mut part) = parts.pop() {
        let places = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let Ok(mut places) = executor.replays.clone().acquire_many_owned(places).await else { return };
        let mut failures = 0;
        let loaded = loop {
            match executor.store.load(part.clone()).await {
                Ok(loaded) => break loaded,
                // They are claimed: only the fence can take them away again.
                Err(_) if seat.journal.is_closed() => return,
                Err(error) => {
                    failures += 1;
                    executor.note_trouble(Some(error.message().to_owned()));
                    if failures > 2 && part.len() > 1 {
                        parts.push(part.split_off(part.len() / 2));
                        parts.push(std::mem::take(&mut part));
                        break Vec::new();
                    }
                    if failures > 5 && !error.is_busy() {
                        break part.iter().map(|key| (*key, Err(error.clone()))).collect();
                    }
                    executor.store.clock().sleep(SWEEP).await;
                }
            }
        };
        for (key, history) in loaded {
            match history {
                Ok(history) => {
                    let Some(place) = places.split(1) else { unreachable!("one place was taken for each run") };
                    executor.replay(seat, history, place);
                }
                Err(error) => executor.hold_unreadable(seat, key, &error),
            }
        }
    }
}

const _: () = assert!(SUSPECT_AFTER > 1, "the first crash suspects nobody");
