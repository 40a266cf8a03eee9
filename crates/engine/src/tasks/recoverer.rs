//! Releases the runs of dead executors, so that any executor can claim them. It scans by state, so it also finds what a crash
//! in the middle of a release left.

use std::sync::Arc;

use onward_store::{GivenUp, Recovered, RecoveryLimits};
use onward_types::{Code, Error};

use super::{SWEEP, note};
use crate::executor::Executor;
use crate::story::Named;

pub(crate) async fn run(executor: Arc<Executor>) {
    // Also deletes executors that died before this one started.
    let mut forgets = true;
    loop {
        if let Some(recovered) = note(&executor, "recoverer", "release", release(&executor).await)
            && (recovered > 0 || forgets)
        {
            forgets = note(&executor, "recoverer", "forget", executor.store.forget_dead().await).is_none();
        }
        tokio::select! {
            () = executor.store.clock().rest(SWEEP) => {}
            () = executor.declared_dead.notified() => forgets = true,
        }
    }
}

/// Releases orphaned runs. Returns how many there were; an error if some could not be released.
async fn release(executor: &Executor) -> Result<usize, Error> {
    let mut all = Recovered::default();
    loop {
        let some = match executor.store.release_orphans(&limits(executor)).await {
            Ok(some) => some,
            Err(error) => {
                log(executor, &all);
                return Err(error);
            }
        };
        executor.counters.recoveries.many(some.released);
        executor.counters.given_up.many(some.given_up);
        if some.given_up > 0 {
            executor.parent_ended.notify_one();
        }
        if some.total() > 0 {
            all.add(some);
            executor.notify_ready();
            continue;
        }
        log(executor, &all);
        return match some.why {
            Some(why) => {
                let message = format!("{} cancelled runs of dead executors cannot be released: {why}", some.left);
                Err(Error::new(Code::Busy, message))
            }
            None => Ok(all.total()),
        };
    }
}

/// How many recoveries runs have whose starters did not say.
fn limits(executor: &Executor) -> RecoveryLimits {
    let workflows = executor.registry.all();
    let of = workflows.iter().filter_map(|workflow| Some((workflow.key(), workflow.max_recoveries?))).collect();
    RecoveryLimits { of, other: executor.options.max_recoveries }
}

fn log(executor: &Executor, recovered: &Recovered) {
    let by = &executor.seat().executor;
    for (dead_executor, runs) in &recovered.from {
        tracing::info!(
            target: "onward::executor",
            executor = %by,
            %dead_executor,
            runs,
            "released the runs of a dead executor: any executor that has their workflows continues them"
        );
    }
    let stopped = recovered.total().saturating_sub(recovered.from.values().sum::<usize>() + recovered.given_up);
    if stopped > 0 {
        let message = "released cancelled and paused runs of dead executors";
        tracing::info!(target: "onward::executor", executor = %by, runs = stopped, "{message}");
    }
    for GivenUp { id, workflow, said } in &recovered.lost {
        executor.story.run_given_up(Named { run: id, workflow }, said);
    }
}
