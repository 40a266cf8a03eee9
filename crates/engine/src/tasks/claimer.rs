//! Takes waiting runs: those that were started elsewhere, whose timers are due, or whose executor died.

use std::sync::Arc;
use std::time::Duration;

use onward_store::{Claim, SUSPECT_AFTER, Seat, Signal};
use onward_types::{Error, RunKey, Timestamp};
use tokio::sync::broadcast::Receiver;

use super::{SWEEP, note};
use crate::executor::{CLAIM_MAX, Executor, Expected, REPLAYS_MAX};

/// So often runs are loaded together before they are loaded in halves.
const TRIES_TOGETHER: u32 = 3;
/// A run that no database can be blamed for is held after so many tries alone.
const TRIES_ALONE: u32 = 5;
/// The longest pause before a run that cannot be loaded is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut signals = executor.store.signals();
    let mut told = false;
    loop {
        // What was just said to be ready is taken at once; else a read tells whether anything is, for a claim takes its turn
        // among all that write.
        if told {
            claim_all(&executor).await;
        }
        let waiting = note(&executor, "claimer", "look", executor.store.waiting(executor.workflows()).await);
        if waiting.is_some_and(|waiting| waiting.is_ready) {
            claim_all(&executor).await;
        }
        if waiting.is_some_and(|waiting| waiting.is_suspect) {
            note(&executor, "claimer", "claim suspects", claim_suspects(&executor).await);
        }
        told = wait(&executor, waiting.and_then(|waiting| waiting.next), &mut signals).await;
    }
}

async fn claim_all(executor: &Arc<Executor>) {
    while note(executor, "claimer", "claim", claim(executor).await) == Some(true) {}
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

/// No more bytes of histories than this are loaded at once, unless one run alone has more.
const HISTORIES_BYTES: usize = 16 * 1024 * 1024;

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

/// Runs that may have killed their process are recovered apart from the others, so that they take no innocent with them: a wave
/// of them, and the next one once this one has shown that it does not.
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
            // Those that are left would be given up at the next crash, and come one by one.
            suspects = take(executor, &seat, 1, true).await?;
        }
        executor.residents.suspects_come(&suspects.keys, uptime);
        load(executor, &seat, suspects).await;
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
    let _claiming = executor.residents.claiming();
    let claimed = executor.store.claim(claim).await?;
    executor.counters.claims.many(claimed.len());
    Ok(Taken::new(executor, claimed))
}

/// Load runs that are ours and execute them, some at a time: each history is memory until it was replayed.
pub(super) async fn load(executor: &Arc<Executor>, seat: &Arc<Seat>, taken: Taken) {
    let Taken { mut keys, _expected } = taken;
    while !keys.is_empty() && !seat.journal.is_closed() {
        let some = keys.split_off(keys.len().saturating_sub(REPLAYS_MAX));
        load_some(executor, seat, some).await;
    }
}

/// Load these runs. Where that fails again and again there are too many, or one of them cannot be loaded: then in halves, until
/// that one is alone and is tried apart from all others.
async fn load_some(executor: &Arc<Executor>, seat: &Arc<Seat>, some: Vec<RunKey>) {
    let mut parts = vec![some];
    while let Some(part) = parts.pop() {
        let mut failures = 0;
        while let Err(error) = load_once(executor, seat, &part).await {
            // They are claimed: only the fence can take them away again.
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

/// Load a run that cannot be loaded with others, for as long as it takes. It does not stay in the way of those that can.
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
            if tries > TRIES_ALONE && !error.is_busy() {
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

/// Load these runs once and execute them, but for those that are in memory already and those that are not ours any more.
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
                    let Some(place) = places.split(1) else { unreachable!("one place was taken for each run") };
                    executor.replay(seat, history, place);
                }
                Err(error) => executor.hold_unreadable(seat, key, &error),
            }
        }
    }
    Ok(())
}

const _: () = assert!(SUSPECT_AFTER > 1, "the first crash suspects nobody");
