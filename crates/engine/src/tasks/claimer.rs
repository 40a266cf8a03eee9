//! Claims ready runs: those that were started elsewhere, whose timers are due, or whose executor died.

use std::sync::Arc;
use std::time::Duration;

use onward_store::{Claim, SUSPECT_AFTER, Seat, Signal};
use onward_types::{Error, RunKey, Timestamp};
use tokio::sync::broadcast::Receiver;

use super::{SWEEP, note, nothing_to};
use crate::executor::{CLAIM_MAX, Executor, Expected, REPLAYS_MAX};

/// How often runs are loaded together before they are loaded in halves.
const TRIES_TOGETHER: u32 = 3;
/// How often a run is tried alone before it is held, unless the database is busy.
const TRIES_ALONE: u32 = 5;
/// The longest pause before a run that cannot be loaded is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut signals = executor.store.signals();
    let mut signalled = false;
    loop {
        // After a signal the claim follows at once. Otherwise a read checks first whether any run is ready, because a claim
        // queues with all writers.
        if signalled {
            claim_all(&executor).await;
        }
        let waiting = note(&executor, "claimer", "look", executor.store.waiting(executor.workflows()).await);
        if let Some(waiting) = waiting {
            if waiting.is_ready {
                claim_all(&executor).await;
            } else {
                nothing_to(&executor, "claimer", "claim");
            }
            if waiting.is_suspect {
                note(&executor, "claimer", "claim suspects", claim_suspects(&executor).await);
            } else {
                nothing_to(&executor, "claimer", "claim suspects");
            }
        }
        signalled = wait(&executor, waiting.and_then(|waiting| waiting.next), &mut signals).await;
    }
}

async fn claim_all(executor: &Arc<Executor>) {
    while note(executor, "claimer", "claim", claim(executor).await) == Some(true) {}
}

/// Waits until runs may be ready: for a signal, a timer, or one second. Returns whether a signal said that runs are ready.
async fn wait(executor: &Executor, due: Option<Timestamp>, signals: &mut Receiver<Signal>) -> bool {
    let clock = executor.store.clock();
    let sweep = onward_store::add(clock.now(), SWEEP);
    let until = due.map_or(sweep, |due| due.min(sweep));
    let sleep = clock.rest_until(until, due);
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

/// The maximum size of histories loaded at once, in bytes, unless a single run has more.
const HISTORIES_BYTES: usize = 16 * 1024 * 1024;

/// Whether runs may be claimed now.
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

/// Claims once. Returns whether there may be more.
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

/// Claims runs that may have killed their process separately from others, so that they do not take harmless runs down with
/// them: one wave, and the next one once this one has shown to be harmless.
async fn claim_suspects(executor: &Arc<Executor>) -> Result<(), Error> {
    let seat = executor.seat();
    if !has_room(executor, &seat) {
        return Ok(());
    }
    let uptime = executor.store.clock().uptime();
    let wanted = executor.residents.suspects_wanted(uptime) as usize;
    if wanted > 0 {
        let mut suspects = take(executor, &seat, wanted.min(CLAIM_MAX), true).await?;
        if suspects.len() == 0 && wanted > 1 {
            // The remaining runs would be given up at the next crash; load them one at a time.
            suspects = take(executor, &seat, 1, true).await?;
        }
        executor.residents.suspects_come(&suspects.keys, uptime);
        load(executor, &seat, suspects).await;
    }
    Ok(())
}

/// Runs that this executor owns and that are not in memory yet.
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
    let _claiming = executor.residents.claiming();
    let claimed = executor.store.claim(claim).await?;
    executor.counters.claims.many(claimed.len());
    Ok(Taken::new(executor, claimed))
}

/// Loads owned runs and executes them, a limited number at a time: each history uses memory until it was replayed.
pub(super) async fn load(executor: &Arc<Executor>, seat: &Arc<Seat>, taken: Taken) {
    let Taken { mut keys, _expected } = taken;
    while !keys.is_empty() && !seat.journal.is_closed() {
        let some = keys.split_off(keys.len().saturating_sub(REPLAYS_MAX));
        load_some(executor, seat, some).await;
    }
}

/// Loads these runs. If that fails repeatedly, they are too many, or one of them cannot be loaded: then they are loaded in
/// halves, until the failing one is alone and is loaded separately.
async fn load_some(executor: &Arc<Executor>, seat: &Arc<Seat>, some: Vec<RunKey>) {
    let mut parts = vec![some];
    while let Some(part) = parts.pop() {
        let mut failures = 0;
        while let Err(error) = load_once(executor, seat, &part).await {
            // The runs are claimed: only a lost fence can take them away.
            if seat.journal.is_closed() {
                return;
            }
            failures += 1;
            executor.trouble("claimer", "load", error.message().to_owned());
            if failures >= TRIES_TOGETHER {
                match part[..] {
                    [alone] => load_apart(executor, seat, alone),
                    _ => parts.extend(part.rchunks(part.len().div_ceil(2)).map(<[RunKey]>::to_vec)),
                }
                break;
            }
            executor.store.clock().sleep(SWEEP).await;
        }
    }
    executor.no_trouble("claimer", "load");
}

/// Loads a run that cannot be loaded together with others, for as long as it takes, on a task of its own so that it does not
/// delay them.
fn load_apart(executor: &Arc<Executor>, seat: &Arc<Seat>, key: RunKey) {
    let (of, seat) = (executor.clone(), seat.clone());
    let expected = executor.residents.expect(&[key]);
    executor.spawn(async move {
        let (executor, duty) = (of, format!("load run {key}"));
        let mut pause = SWEEP;
        let mut tries = 0;
        while let Err(error) = load_once(&executor, &seat, &[key]).await {
            tries += 1;
            if seat.journal.is_closed() {
                break;
            }
            if tries > TRIES_ALONE && !error.is_transient() {
                executor.hold_unreadable(&seat, key, &error);
                break;
            }
            executor.trouble("claimer", duty.clone(), format!("run {key} cannot be loaded: {}", error.message()));
            executor.store.clock().sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        executor.no_trouble("claimer", duty);
        drop(expected);
    });
}

/// Loads these runs once and executes them, except those that are already in memory or have another owner.
async fn load_once(executor: &Arc<Executor>, seat: &Arc<Seat>, keys: &[RunKey]) -> Result<(), Error> {
    let mut wanted: Vec<RunKey> = keys.iter().copied().filter(|key| !executor.residents.has(*key)).collect();
    let places = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
    let Ok(mut places) = executor.replays.clone().acquire_many_owned(places).await else { return Ok(()) };
    while !wanted.is_empty() {
        let (loaded, left) = executor.store.load_within(wanted, HISTORIES_BYTES).await?;
        wanted = left;
        for (key, history) in loaded {
            match history {
                Ok(history) if history.owner.as_ref() != Some(&seat.executor) => {}
                Ok(history) => {
                    let Some(place) = places.split(1) else { unreachable!("one permit was acquired for each run") };
                    executor.replay(seat, history, place);
                }
                Err(error) => executor.hold_unreadable(seat, key, &error),
            }
        }
    }
    Ok(())
}

const _: () = assert!(SUSPECT_AFTER > 1, "a single crash must not make a run a suspect");
