//! Says that this executor lives, and takes a new seat when it was declared dead.
//!
//! A database that is away is no reason to drop anything: bodies that run go on, nothing new begins, and when the
//! database is back the fence says whether the runs are still ours.

use std::sync::Arc;
use std::time::Duration;

use crate::executor::Executor;
use crate::run::core::Stop;
use crate::run::end::End;

/// So long is waited for runs to be dropped before the executor joins anew.
const DROP_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(executor: Arc<Executor>) {
    loop {
        let seat = executor.seat();
        let fenced = tokio::select! {
            () = seat.journal.fenced() => true,
            fenced = beat(&executor) => fenced,
        };
        if fenced && !executor.is_draining() {
            executor.counters.leases_lost.one();
            rejoin(&executor).await;
        } else if fenced {
            return std::future::pending().await;
        }
    }
}

/// Beat five times a lease. Returns once the executor is known to be dead.
async fn beat(executor: &Executor) -> bool {
    let clock = executor.store.clock();
    let seat = executor.seat();
    if !executor.store.is_shared() {
        // Nobody else can have the file while this process does.
        return std::future::pending().await;
    }
    loop {
        let sent = clock.uptime();
        match executor.store.beat(&seat.executor).await {
            Ok(true) => {
                executor.gate.extend(sent);
                executor.note_trouble(None);
            }
            Ok(false) => return true,
            Err(error) => executor.note_trouble(Some(error.message().to_owned())),
        }
        clock.sleep(executor.options.lease / 5).await;
    }
}

/// The executor was declared dead: drop every run, and come back under a new id.
async fn rejoin(executor: &Arc<Executor>) {
    let old = executor.seat();
    old.journal.close();
    tracing::warn!(executor = %old.executor, "this executor was declared dead: dropping its runs and joining anew");
    for core in executor.residents.all() {
        core.stop(Stop::Fenced);
        // Whoever waits for it here looks elsewhere from now on.
        core.end.set(End::Elsewhere);
    }
    // A body that blocks its thread cannot be dropped. What it does cannot be written any more, so it is not waited for.
    let dropped = tokio::time::timeout(DROP_WITHIN, executor.residents.emptied());
    if dropped.await.is_err() {
        tracing::warn!(
            runs = executor.residents.len(),
            "some runs could not be dropped; joining without waiting for them"
        );
    }
    loop {
        let keys = executor.workflows().to_vec();
        let sent = executor.store.clock().uptime();
        match executor.store.join(keys, Some(&old)).await {
            Ok(seat) => {
                tracing::info!(executor = %seat.executor, "joined again");
                executor.take_seat(seat);
                executor.counters.rejoins.one();
                executor.gate.extend(sent);
                executor.note_trouble(None);
                executor.ring_claimers();
                return;
            }
            Err(error) => {
                executor.note_trouble(Some(error.message().to_owned()));
                executor.store.clock().sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
