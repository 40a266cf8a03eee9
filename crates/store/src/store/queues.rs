//! Operations on queues.

use std::sync::Arc;

use onward_types::{Attribution, Error, ExecutorId, QueueRecord, Steering, SteeringAction};

use super::Store;
use crate::change::{Created, NewRun};
use crate::ops::gather::{self, Gather, Push};
use crate::ops::known::Known;
use crate::ops::queue_claim::{self, QueueClaim, QueueClaimed};
use crate::ops::queues::{self, LimitAct, Lines, QueueChange};
use crate::ops::{runs, starts};
use crate::signal::Signal;

/// The most runs created in one transaction.
pub(super) const MANY: usize = 500;

impl Store {
    /// The queues from which an executor of these workflows may claim, and when the next delayed run enters its queue.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn lines(&self, workflows: Arc<Known>) -> Result<Lines, Error> {
        let given = (workflows, self.clock.now());
        self.read("queues.lines", given, |tx, (known, now)| Box::pin(queues::lines(tx, known, *now))).await
    }

    /// Whether an executor of these workflows may claim from a queue. Reads without a lock, so the answer may be outdated.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn has_waiting(&self, queue: &str, workflows: Arc<Known>) -> Result<bool, Error> {
        let given = (queue.to_owned(), workflows, self.clock.now());
        let waiting = self.read("queues.waiting", given, |tx, (queue, known, now)| {
            Box::pin(queues::waiting(tx, known, *now, Some(queue)))
        });
        Ok(!waiting.await?.is_empty())
    }

    /// Move delayed runs that are due into their queues. Returns whether there may be more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn line_up(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let more = self.write("queues.line_up", now, |tx, now| Box::pin(queues::line_up(tx, *now))).await?;
        self.tell(Signal::Ready);
        Ok(more)
    }

    /// Create runs that any executor may claim, in the given order and in few transactions. Returns one result for each.
    ///
    /// # Errors
    /// If the database cannot be reached or rejects a value. Runs created before the error stay.
    pub async fn create_many(&self, new: Vec<NewRun>) -> Result<Vec<Created>, Error> {
        let mut came_of = Vec::with_capacity(new.len());
        for part in new.chunks(MANY) {
            let mut part = part.to_vec();
            part.iter_mut().try_for_each(|run| self.sealer.seal_run(run))?;
            let signals = runs::ready_all(&part);
            let created = self.write("runs.create_many", part, |tx, part| Box::pin(runs::create_many(tx, part)));
            came_of.extend(created.await?);
            signals.into_iter().for_each(|signal| self.tell(signal));
        }
        Ok(came_of)
    }

    /// Replace the input of the run that gathers for this debounce key; if there is none, create this run.
    ///
    /// # Errors
    /// If the database cannot be reached or rejects a value.
    pub async fn debounce(&self, mut run: NewRun, gather: Gather) -> Result<Created, Error> {
        self.sealer.seal_run(&mut run)?;
        let given = (run, gather, self.clock.now());
        let created = self
            .write("runs.debounce", given, |tx, (run, gather, now)| Box::pin(gather::debounce(tx, run, gather, *now)));
        let created = created.await?;
        self.tell(Signal::Ready);
        Ok(created)
    }

    /// Push an item into the batch that gathers for the key; if there is none, create this run with it. The item is taken from
    /// `push`, not from the run's input; the run's input hash is the hash of the item.
    ///
    /// # Errors
    /// [`Code::KeyReused`](onward_types::Code::KeyReused) if an earlier push with the same key had another item, or the id of the
    /// run is taken; [`Code::Decode`](onward_types::Code::Decode) if this store cannot decode the items of the batch; or if the
    /// database cannot be reached or rejects a value.
    pub async fn push(&self, run: NewRun, push: Push) -> Result<Created, Error> {
        let given = (run, push, self.sealer.clone(), self.clock.now());
        let created = self.write("runs.push", given, |tx, (run, push, sealer, now)| {
            Box::pin(gather::push(tx, run, push, sealer, *now))
        });
        let created = created.await?;
        self.tell(Signal::Ready);
        Ok(created)
    }

    /// Claim waiting runs of one queue, within its limits.
    ///
    /// # Errors
    /// If the database cannot be reached or another session has locked the queue's row. If only the answer was lost, runs may
    /// have been claimed nevertheless: [`owned`](Store::owned) lists them.
    pub async fn claim_queue(&self, mut wanted: QueueClaim) -> Result<QueueClaimed, Error> {
        loop {
            let given = (wanted.clone(), self.clock.clone());
            let claimed = self
                .try_write("queues.claim", given, |tx, (claim, clock)| Box::pin(queue_claim::claim(tx, claim, clock)));
            match claimed.await? {
                Some(mut claimed) => {
                    claimed.limited = wanted.limited;
                    if !claimed.keys.is_empty() {
                        crate::crash::point("run.claimed");
                    }
                    return Ok(claimed);
                }
                None => wanted.limited = true,
            }
        }
    }

    /// Create a queue, or declare limits of it, in a process that executes nothing.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn set_queue(&self, name: &str, change: QueueChange) -> Result<QueueRecord, Error> {
        self.limit(name, LimitAct::Declare(change, None)).await
    }

    /// Create a queue, or declare limits of it as this executor. They count until an executor declares newer ones, and again when no
    /// executor is left that does.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn declare_queue(&self, name: &str, change: QueueChange, by: ExecutorId) -> Result<QueueRecord, Error> {
        self.limit(name, LimitAct::Declare(change, Some(by))).await
    }

    /// Declare again what an executor has declared, where that changes something: other executors came or went.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn redeclare_queues(&self, all: Vec<(String, QueueChange)>, by: ExecutorId) -> Result<(), Error> {
        let given = (all, by.clone(), self.clock.now());
        let due = self.read("queues.due", given, |tx, (all, by, now)| Box::pin(queues::due(tx, all, by, *now)));
        for (name, change) in due.await? {
            self.declare_queue(&name, change, by.clone()).await?;
        }
        Ok(())
    }

    /// Create a queue, or set limits of it in place of those that code declares.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the actor's name or the reason cannot be recorded; or if the database
    /// cannot be reached.
    pub async fn override_queue(
        &self,
        name: &str,
        change: QueueChange,
        who: Attribution,
    ) -> Result<QueueRecord, Error> {
        who.check()?;
        self.limit(name, LimitAct::Override(change, who)).await
    }

    /// Give the limits of a queue back to what code declares.
    ///
    /// # Errors
    /// [`Code::UnknownQueue`](onward_types::Code::UnknownQueue) if no queue has the name; or if the database cannot be reached.
    pub async fn clear_queue_override(&self, name: &str) -> Result<QueueRecord, Error> {
        self.limit(name, LimitAct::ClearOverride).await
    }

    async fn limit(&self, name: &str, act: LimitAct) -> Result<QueueRecord, Error> {
        let given = (name.to_owned(), act, self.clock.now());
        let set = self.write("queues.set", given, |tx, (name, act, now)| Box::pin(queues::set(tx, name, act, *now)));
        let set = set.await?;
        self.tell(Signal::Ready);
        Ok(set)
    }

    /// Delete recorded starts that no rate limit of a queue needs any more. Returns the number of rows deleted.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn sweep_starts(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        self.write("queues.sweep_starts", now, |tx, now| Box::pin(starts::sweep(tx, *now))).await
    }

    /// Pause or resume a queue. Returns whether it changed.
    ///
    /// # Errors
    /// [`Code::UnknownQueue`](onward_types::Code::UnknownQueue) if no queue has the name, and
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the actor's name or the reason cannot be recorded.
    pub async fn pause_queue(&self, name: &str, paused: bool, who: &Attribution) -> Result<bool, Error> {
        who.check()?;
        let action = if paused { SteeringAction::Pause } else { SteeringAction::Resume };
        let given = (name.to_owned(), Steering::new(action, who, self.clock.now()));
        let steer =
            self.write("queues.steer", given, |tx, (name, steering)| Box::pin(queues::steer(tx, name, steering)));
        let changed = steer.await?;
        self.tell(Signal::Ready);
        Ok(changed)
    }

    /// Delete a queue. Returns whether it existed.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn delete_queue(&self, name: &str) -> Result<bool, Error> {
        self.write("queues.delete", name.to_owned(), |tx, name| Box::pin(queues::delete(tx, name))).await
    }

    /// The settings and the current state of a queue.
    ///
    /// # Errors
    /// [`Code::UnknownQueue`](onward_types::Code::UnknownQueue) if no queue has the name.
    pub async fn queue(&self, name: &str) -> Result<QueueRecord, Error> {
        self.read("queues.info", name.to_owned(), |tx, name| Box::pin(queues::info(tx, name))).await
    }

    /// The settings and the current state of every queue.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn queues(&self) -> Result<Vec<QueueRecord>, Error> {
        self.read("queues.all", (), |tx, ()| Box::pin(queues::all(tx))).await
    }
}
