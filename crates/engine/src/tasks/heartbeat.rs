//! Takes a new seat when this executor was declared dead. The [pulse](super::pulse) sends the heartbeats.
//!
//! An unreachable database is no reason to drop anything: running bodies continue, nothing new begins, and when the database is
//! back the fence shows whether this executor still owns the runs.

use std::sync::Arc;
use std::time::Duration;

use super::note;
use super::pulse::Pulse;
use crate::executor::Executor;
use crate::executor::run::end::End;
use crate::executor::run::leaving::Stop;

/// How long to wait for runs to be dropped before the executor joins again.
const DROP_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut pulse = Pulse::start(&executor);
    loop {
        let seat = executor.seat();
        tokio::select! {
            () = seat.journal.fenced() => {}
            // Without a pulse other executors consider this one dead, so it must not continue.
            () = pulse.ended() => return,
        }
        if executor.is_draining() {
            return std::future::pending().await;
        }
        executor.counters.leases_lost.one();
        rejoin(&executor).await;
    }
}

/// The executor was declared dead: drops every run, and joins again under a new id.
async fn rejoin(executor: &Arc<Executor>) {
    let old = executor.seat();
    old.journal.close();
    let reason = if executor.store.is_shared() {
        "no heartbeat of it was seen for its lease, so it was declared dead"
    } else {
        "its SQLite file is lost, or the writer of the file has failed"
    };
    let runs = executor.residents.len();
    tracing::warn!(
        target: "onward::executor",
        executor = %old.executor,
        runs,
        reason,
        "the executor may not write any more: it drops its runs and joins again"
    );
    for core in executor.residents.all() {
        core.stop(Stop::Fenced);
        // Callers in this process that wait for the run read the database from now on.
        core.end.set(End::Elsewhere);
    }
    // A body that blocks its thread cannot be dropped. Its result can no longer be written, so this does not wait for it.
    let dropped = onward_store::real_time::timeout(DROP_WITHIN, executor.residents.emptied());
    if dropped.await.is_err() {
        let runs = executor.residents.len();
        tracing::warn!(
            target: "onward::executor",
            executor = %old.executor,
            runs,
            "bodies that block their threads cannot be dropped: joining without waiting for them"
        );
    }
    if executor.store.clock().activity().is_some() {
        // A test made it lose its seat, and no time passes in which others would notice that.
        note(executor, "heartbeat", "leave", executor.store.bury(&old.executor).await);
    }
    loop {
        // A workflow that is registered meanwhile is announced under the new seat.
        let turn = executor.announcing.lock().await;
        let keys = executor.registry.keys();
        let sent = executor.store.clock().uptime();
        match executor.store.join(keys, executor.options.lease, Some(&old)).await {
            Ok(seat) => {
                let before = &old.executor;
                tracing::info!(target: "onward::executor", executor = %seat.executor, %before, "the executor has joined again");
                executor.take_seat(seat);
                executor.counters.rejoins.one();
                executor.gate.extend(sent);
                executor.no_trouble("heartbeat", "join");
                executor.ring_claimers();
                return;
            }
            Err(error) => {
                drop(turn);
                executor.trouble("heartbeat", "join", error.message().to_owned());
                executor.store.clock().sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
