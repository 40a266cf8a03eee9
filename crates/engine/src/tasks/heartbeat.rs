//! Takes a new seat when this executor was declared dead. That it lives is said by the [pulse](super::pulse).
//!
//! A database that is away is no reason to drop anything: bodies that run go on, nothing new begins, and when the
//! database is back the fence says whether the runs are still ours.

use std::sync::Arc;
use std::time::Duration;

use super::pulse::Pulse;
use crate::executor::Executor;
use crate::executor::run::end::End;
use crate::executor::run::leaving::Stop;

/// So long is waited for runs to be dropped before the executor joins again.
const DROP_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut pulse = Pulse::start(&executor);
    loop {
        let seat = executor.seat();
        tokio::select! {
            () = seat.journal.fenced() => {}
            // An executor without a pulse is taken for dead, and must not be told that all is well.
            () = pulse.ended() => return,
        }
        if executor.is_draining() {
            return std::future::pending().await;
        }
        executor.counters.leases_lost.one();
        rejoin(&executor).await;
    }
}

/// The executor was declared dead: drop every run, and come back under a new id.
async fn rejoin(executor: &Arc<Executor>) {
    let old = executor.seat();
    old.journal.close();
    tracing::warn!(executor = %old.executor, "this executor was declared dead: dropping its runs and joining again");
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
        let keys = executor.registry.keys();
        let sent = executor.store.clock().uptime();
        match executor.store.join(keys, executor.options.lease, Some(&old)).await {
            Ok(seat) => {
                tracing::info!(executor = %seat.executor, "joined again");
                executor.take_seat(seat);
                executor.counters.rejoins.one();
                executor.gate.extend(sent);
                executor.no_trouble("heartbeat", "join");
                executor.ring_claimers();
                return;
            }
            Err(error) => {
                executor.trouble("heartbeat", "join", error.message().to_owned());
                executor.store.clock().sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
