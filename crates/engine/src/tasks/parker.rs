//! Parks runs that only wait: they leave memory, and their rows say when they are ready.
//!
//! The patience depends on the cost: a run with a slow replay stays in memory longer. If too many runs are in memory, those
//! that have waited longest leave first.

use std::sync::Arc;
use std::time::Duration;

use onward_types::Timestamp;

use super::SWEEP;
use crate::executor::Executor;
use crate::executor::run::core::RunCore;
use crate::executor::run::leaving::Stop;
use crate::sync::lock;

/// A waiting run stays in memory for at least this many times the duration of its replay.
const REPLAYS_WORTH: u32 = 200;
/// The pause between the signal that too many runs are in memory and the sweep.
const LOOK_AFTER: Duration = Duration::from_millis(100);

pub(crate) async fn run(executor: Arc<Executor>) {
    loop {
        tokio::select! {
            () = executor.store.clock().rest(SWEEP) => {}
            () = executor.crowded.notified() => {
                // Each new run notifies; one sweep serves many.
                onward_store::real_time::sleep(LOOK_AFTER).await;
            }
        }
        park(&executor);
    }
}

fn park(executor: &Executor) {
    let now = executor.store.clock().now();
    let mut idle: Vec<(Timestamp, Arc<RunCore>)> =
        executor.residents.all().into_iter().filter_map(|core| Some((idle_since(&core)?, core))).collect();
    let crowded = executor.residents.len().saturating_sub(executor.options.residents_max);
    idle.sort_by_key(|(since, _)| *since);
    for (at, (since, core)) in idle.iter().enumerate() {
        let replay = *lock(&core.replay_took);
        let patience = executor.options.park_after.max(replay * REPLAYS_WORTH);
        let waited = Duration::try_from(now.duration_since(*since)).unwrap_or_default();
        if at < crowded || waited >= patience {
            core.stop(Stop::Park);
        }
    }
}

fn idle_since(core: &RunCore) -> Option<Timestamp> {
    *lock(&core.idle_since)
}
