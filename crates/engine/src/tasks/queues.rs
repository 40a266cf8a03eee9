//! Claims waiting runs from queues. Each queue is served by a task of its own, so that a queue whose row is locked, or whose
//! count is slow, does not delay others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use onward_store::{QueueClaim, QueueClaimed, Signal};
use onward_types::{Error, Timestamp};
use tokio::sync::{broadcast, mpsc};

use super::claimer::{self, Taken};
use super::{SWEEP, note, nothing_to};
use crate::executor::{CLAIM_MAX, Executor};

/// How often starts are deleted that no rate limit counts any more.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// How often the limits that this executor has declared are declared again: a newer executor that declared others may be gone.
const DECLARE_EVERY: Duration = Duration::from_secs(10);

pub(crate) async fn run(executor: Arc<Executor>) {
    let (report_to, reports) = mpsc::unbounded_channel();
    let signals = executor.store.signals();
    let swept = executor.store.clock().now();
    let (limited, serving, next) = Default::default();
    let mut queues = Queues { executor, signals, limited, serving, next, swept, declared: swept, report_to, reports };
    loop {
        queues.declare().await;
        let due = queues.sweep().await;
        queues.wait(due).await;
    }
}

struct Queues {
    executor: Arc<Executor>,
    signals: broadcast::Receiver<Signal>,
    /// The queues that had limits at their last claim.
    limited: HashSet<String>,
    /// The queues that are being served, and whether they have to be served again afterwards.
    serving: HashMap<String, bool>,
    /// When the rate limit of a queue allows the next start.
    next: HashMap<String, Timestamp>,
    /// When old starts were last deleted.
    swept: Timestamp,
    /// When limits were last declared again.
    declared: Timestamp,
    report_to: mpsc::UnboundedSender<Report>,
    reports: mpsc::UnboundedReceiver<Report>,
}

/// One round of serving a queue. Reports when it ends in any way: otherwise the queue would never be served again.
struct Round {
    queue: String,
    result: Served,
    report_to: mpsc::UnboundedSender<Report>,
}

impl Drop for Round {
    fn drop(&mut self) {
        // If the receiver is gone, the executor has stopped.
        self.report_to.send(Report { queue: std::mem::take(&mut self.queue), result: self.result }).ok();
    }
}

/// A queue was served.
struct Report {
    queue: String,
    result: Served,
}

/// The result of serving a queue.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    /// When its rate limit allows the next start.
    next: Option<Timestamp>,
    /// Whether it has limits, if known.
    limited: Option<bool>,
}

impl Queues {
    /// Declares the limits of this executor again, if it has declared any and it is time.
    async fn declare(&mut self) {
        let executor = &self.executor;
        let now = executor.store.clock().now();
        if executor.is_draining() || now < onward_store::add(self.declared, DECLARE_EVERY) {
            return;
        }
        self.declared = now;
        let all = executor.declared.all();
        if all.is_empty() {
            return nothing_to(executor, "queues", "declare limits");
        }
        let by = executor.seat().executor.clone();
        note(executor, "queues", "declare limits", executor.store.redeclare_queues(all, by).await);
    }

    /// Starts serving every queue that may have runs to claim. Returns when the next delayed run enters its queue.
    async fn sweep(&mut self) -> Option<Timestamp> {
        let executor = &self.executor;
        if executor.is_draining() || executor.workflows().is_empty() {
            return None;
        }
        let mut lines = note(executor, "queues", "look", executor.store.lines(executor.workflows()).await)?;
        let begun = executor.store.clock().now();
        if lines.due.is_some_and(|due| due <= begun) {
            while note(executor, "queues", "line up", executor.store.line_up().await) == Some(true) {}
            lines = note(executor, "queues", "look", executor.store.lines(executor.workflows()).await)?;
            // A run that was due and is still delayed could not be changed. It is tried again with the next sweep.
            lines.due = lines.due.filter(|due| *due > begun);
        } else {
            nothing_to(executor, "queues", "line up");
        }
        let now = executor.store.clock().now();
        if now >= onward_store::add(self.swept, FORGET_EVERY) {
            self.swept = now;
            note(executor, "queues", "forget starts", executor.store.sweep_starts().await);
        }
        self.next.retain(|_, next| *next > now);
        // A queue without waiting runs has no failure to report.
        executor.keep_trouble("queue", |queue| lines.queues.iter().any(|(waits, _)| waits == queue));
        for (queue, limited) in lines.queues {
            self.note_limited(&queue, limited);
            self.have_served(queue, true);
        }
        lines.due
    }

    fn note_limited(&mut self, queue: &str, limited: bool) {
        if limited {
            self.limited.insert(queue.to_owned());
        } else {
            self.limited.remove(queue);
        }
    }

    /// Starts serving a queue, or marks it to be served again. `waits`: a run is known to wait in it.
    fn have_served(&mut self, queue: String, waits: bool) {
        if let Some(again) = self.serving.get_mut(&queue) {
            *again = true;
            return;
        }
        if self.executor.is_draining() || self.executor.workflows().is_empty() {
            return;
        }
        self.serving.insert(queue.clone(), false);
        let limited = self.limited.contains(&queue);
        let (executor, report_to) = (self.executor.clone(), self.report_to.clone());
        let round = Round { queue, result: Served::default(), report_to };
        self.executor.spawn(async move {
            // Moves all of `round` into the task, not only the fields used here, so that its drop reports.
            let mut round = round;
            let served = serve(&executor, &round.queue, limited, waits).await;
            round.result = note(&executor, "queue", round.queue.clone(), served).unwrap_or_default();
        });
    }

    /// Serves the queues that signals name, and waits until all queues have to be checked again: after a signal without a name,
    /// at a due time, or after a second.
    async fn wait(&mut self, due: Option<Timestamp>) {
        let clock = self.executor.store.clock().clone();
        let sweep = onward_store::add(clock.now(), SWEEP);
        loop {
            let next = due.into_iter().chain(self.next.values().copied()).min();
            let until = next.map_or(sweep, |next| next.min(sweep));
            tokio::select! {
                () = clock.rest_until(until, next) => return,
                () = self.executor.queues_now.notified() => return,
                () = self.executor.queue_now.notified() => {
                    for queue in self.executor.take_named_queues() {
                        self.have_served(queue, false);
                    }
                }
                signal = self.signals.recv() => match signal {
                    Ok(Signal::Queued(queue)) => self.have_served(queue, false),
                    Ok(Signal::Ready | Signal::Look) | Err(_) => return,
                    Ok(_) => {}
                },
                Some(Report { queue, result }) = self.reports.recv() => {
                    let again = self.serving.remove(&queue).unwrap_or(false);
                    self.next.extend(result.next.map(|next| (queue.clone(), next)));
                    if let Some(limited) = result.limited {
                        self.note_limited(&queue, limited);
                    }
                    if again {
                        self.have_served(queue, false);
                    }
                }
            }
        }
    }
}

/// Claims from one queue until it has no more. Only one claimer can count a queue with limits at a time, so such a queue is
/// checked first unless a run is known to wait in it: every run that ends there notifies all executors.
async fn serve(executor: &Arc<Executor>, queue: &str, limited: bool, waits: bool) -> Result<Served, Error> {
    if limited && !waits && !executor.store.has_waiting(queue, executor.workflows()).await? {
        return Ok(Served::default());
    }
    loop {
        let seat = executor.seat();
        if executor.is_draining() || seat.journal.is_closed() {
            return Ok(Served::default());
        }
        let free = executor.options.residents_max.saturating_sub(executor.residents.len());
        if free == 0 {
            executor.crowded.notify_one();
            return Ok(Served::default());
        }
        let wanted = QueueClaim {
            queue: queue.to_owned(),
            executor: seat.executor.clone(),
            workflows: executor.workflows(),
            limit: u32::try_from(free.min(CLAIM_MAX)).unwrap_or(u32::MAX),
            suspects: executor.residents.suspects_wanted(executor.store.clock().uptime()),
            limited,
        };
        let claiming = executor.residents.claiming();
        let QueueClaimed { keys, more, next, limited } = executor.store.claim_queue(wanted).await?;
        let taken = Taken::new(executor, keys);
        drop(claiming);
        claimer::load(executor, &seat, taken).await;
        if !more {
            return Ok(Served { next, limited: Some(limited) });
        }
    }
}
