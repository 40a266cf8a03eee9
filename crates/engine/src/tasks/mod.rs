//! The background tasks of an executor. Each runs until the executor stops. If one ends earlier, the executor stops and reports
//! it: an executor that silently lacks a task would be worse.

mod canceller;
pub(crate) mod claimer;
mod counter;
mod depths;
mod feed;
mod heartbeat;
mod parker;
mod postman;
mod pulse;
mod queues;
mod recoverer;
mod retention;
mod scheduler;
mod silence;
mod stalls;
mod steerer;
mod waker;
mod watcher;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use onward_store::Signal;
use onward_types::Error;
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};

use crate::executor::Executor;
use crate::future::BoxFuture;

/// How often each task checks the database, whatever the signals say.
const SWEEP: Duration = Duration::from_secs(1);

/// The tasks of one executor.
pub(crate) struct Tasks {
    watcher: JoinHandle<()>,
}

impl Tasks {
    pub(crate) fn spawn(executor: &Arc<Executor>) -> Tasks {
        let mut tasks = JoinSet::new();
        let mut spawn = |name: &'static str, task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            tasks.spawn(executor.store.clock().task(async move {
                task.await;
                name
            }));
        };
        spawn("claimer", Box::pin(claimer::run(executor.clone())));
        spawn("queues", Box::pin(queues::run(executor.clone())));
        spawn("depths", Box::pin(depths::run(executor.clone())));
        spawn("steerer", Box::pin(steerer::run(executor.clone())));
        spawn("canceller", Box::pin(canceller::run(executor.clone())));
        spawn("watcher", Box::pin(watcher::run(executor.clone())));
        spawn("recoverer", Box::pin(recoverer::run(executor.clone())));
        spawn("waker", Box::pin(waker::run(executor.clone())));
        spawn("stalls", Box::pin(stalls::run(executor.clone())));
        spawn("retention", Box::pin(retention::run(executor.clone())));
        spawn("feed", Box::pin(feed::run(executor.clone())));
        spawn("counter", Box::pin(counter::run(executor.clone())));
        spawn("scheduler", Box::pin(scheduler::run(executor.clone())));
        spawn("parker", Box::pin(parker::run(executor.clone())));
        spawn("postman", Box::pin(postman::run(executor.clone())));
        spawn("heartbeat", Box::pin(heartbeat::run(executor.clone())));
        let executor = executor.clone();
        Tasks { watcher: tokio::spawn(watch(executor, tasks)) }
    }

    pub(crate) fn stop(&self) {
        self.watcher.abort();
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until a task ends unexpectedly; then stops new bodies, ends the other tasks and reports it.
async fn watch(executor: Arc<Executor>, mut tasks: JoinSet<&'static str>) {
    let Some(died) = tasks.join_next().await else { return };
    let report = match died {
        Ok(name) => format!("its {name} ended"),
        Err(error) => format!("one of its tasks died: {error}"),
    };
    tracing::error!(
        target: "onward::executor",
        executor = %executor.seat().executor,
        reason = report,
        "the executor stops because of a bug in Onward: restart the process. Others take over its runs after its lease"
    );
    executor.gate.shut();
    executor.trouble("executor", "run", format!("the executor stopped: {report}"));
    // Without heartbeats the lease runs out, and other executors take the runs over.
    drop(tasks);
}

/// Signals, and a sweep each second that signals cannot delay.
struct SignalReceiver {
    signals: broadcast::Receiver<Signal>,
    sweep: BoxFuture<'static, ()>,
}

impl SignalReceiver {
    fn new(executor: &Executor) -> SignalReceiver {
        SignalReceiver { signals: executor.store.signals(), sweep: SignalReceiver::in_a_second(executor) }
    }

    fn in_a_second(executor: &Executor) -> BoxFuture<'static, ()> {
        let clock = executor.store.clock().clone();
        Box::pin(async move { clock.rest(SWEEP).await })
    }

    /// The next signal, or `None` when a sweep is due. A receiver that fell behind gets [`Signal::Look`], which means that
    /// anything may have changed.
    async fn next(&mut self, executor: &Executor) -> Option<Signal> {
        tokio::select! {
            biased;
            () = &mut self.sweep => {
                self.sweep = SignalReceiver::in_a_second(executor);
                None
            }
            signal = self.signals.recv() => Some(signal.unwrap_or(Signal::Look)),
        }
    }
}

/// Reports whether a task failed at or did one of its duties.
fn note<T>(
    executor: &Executor,
    task: &'static str,
    duty: impl Into<Cow<'static, str>>,
    done: Result<T, Error>,
) -> Option<T> {
    match done {
        Ok(value) => {
            executor.no_trouble(task, duty);
            Some(value)
        }
        Err(error) => {
            executor.trouble(task, duty, error.message().to_owned());
            None
        }
    }
}

/// A task looked and found nothing of this kind to do. What it failed at was withdrawn, or another executor did it.
fn nothing_to(executor: &Executor, task: &'static str, duty: &'static str) {
    executor.no_trouble(task, duty);
}
