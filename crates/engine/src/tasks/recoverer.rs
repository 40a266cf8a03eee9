//! Finds executors that died, and releases their runs so that anyone can claim them.
//!
//! Death is judged by observation alone: a beat that does not change for one lease of this machine's own uptime, while
//! this executor could read. No clock of another machine is asked, and a database that was away kills nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use onward_types::{Error, ExecutorId};

use super::{SWEEP, note};
use crate::executor::Executor;

/// What was last seen of another executor.
struct Seen {
    beat: i64,
    /// Since when, in uptime, the beat is the same.
    since: Duration,
}

#[derive(Default)]
struct Watch {
    seen: HashMap<ExecutorId, Seen>,
    /// Whether the dead of former times were forgotten.
    has_begun: bool,
    /// When the executors could last be read.
    read_at: Option<Duration>,
}

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut watch = Watch::default();
    loop {
        note(&executor, sweep(&executor, &mut watch).await);
        executor.store.clock().sleep(SWEEP).await;
    }
}

async fn sweep(executor: &Arc<Executor>, watch: &mut Watch) -> Result<(), Error> {
    if executor.store.is_shared() {
        for (id, beat) in watch.observe(executor).await? {
            if executor.store.declare_dead(&id, beat).await? {
                watch.has_begun = false;
                tracing::warn!(executor = %id, "an executor has not said that it lives for one lease: taking over its runs");
            }
        }
    }
    let mut recovered = 0;
    loop {
        let some = executor.store.release_orphans().await?;
        if some.total() == 0 {
            break;
        }
        executor.counters.recoveries.many(some.released);
        executor.counters.given_up.many(some.given_up);
        recovered += some.total();
    }
    if recovered > 0 || !watch.has_begun {
        watch.has_begun = true;
        executor.store.forget_dead().await?;
    }
    if recovered > 0 {
        tracing::info!(runs = recovered, "released the runs of dead executors");
        executor.tell_ready();
    }
    if executor.store.sweep_missed().await? > 0 {
        executor.tell_ready();
    }
    Ok(())
}

impl Watch {
    /// The executors whose beat has not changed for one lease.
    async fn observe(&mut self, executor: &Executor) -> Result<Vec<(ExecutorId, i64)>, Error> {
        let clock = executor.store.clock();
        let lease = executor.options.lease;
        let rows = executor.store.executors().await?;
        let now = clock.uptime();
        // What could not be read proves nothing: after a gap every observation begins anew.
        let gap = self.read_at.replace(now).is_none_or(|before| now.saturating_sub(before) > lease.max(SWEEP * 3));
        if gap {
            self.seen.clear();
        }
        let own = executor.seat().executor.clone();
        self.seen.retain(|id, _| rows.iter().any(|row| row.id == *id));
        let mut silent = Vec::new();
        for row in rows.into_iter().filter(|row| !row.dead && row.id != own) {
            let seen = self.seen.entry(row.id.clone()).or_insert(Seen { beat: row.beat, since: now });
            if seen.beat != row.beat {
                *seen = Seen { beat: row.beat, since: now };
            } else if now.saturating_sub(seen.since) >= lease {
                silent.push((row.id, row.beat));
            }
        }
        Ok(silent)
    }
}
