//! What can be asked of queues.

use std::sync::Arc;

use onward_types::{Error, QueueInfo};

use super::Store;
use crate::change::{Created, NewRun};
use crate::ops::gather::{self, Gather, Push};
use crate::ops::known::Known;
use crate::ops::queue_claim::{self, QueueClaim, QueueClaimed};
use crate::ops::queues::{self, Lines, QueueChange};
use crate::ops::{runs, starts};
use crate::signal::Signal;

/// So many runs are created in one transaction.
pub(super) const MANY: usize = 500;

impl Store {
    /// From which queues an executor of these workflows may take something, and when the next delayed run enters its queue.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn lines(&self, workflows: Arc<Known>) -> Result<Lines, Error> {
        let now = self.clock.now();
        self.read(move |tx| {
            let workflows = workflows.clone();
            Box::pin(async move { queues::lines(tx, &workflows, now).await })
        })
        .await
    }

    /// Whether an executor of these workflows may take something from a queue, as far as a look without a lock can tell.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn has_waiting(&self, queue: &str, workflows: Arc<Known>) -> Result<bool, Error> {
        let (queue, now) = (Arc::<str>::from(queue), self.clock.now());
        let waiting = self.read(move |tx| {
            let (queue, workflows) = (queue.clone(), workflows.clone());
            Box::pin(async move { queues::waiting(tx, &workflows, now, Some(&queue)).await })
        });
        Ok(!waiting.await?.is_empty())
    }

    /// Let delayed runs whose time has come into their queues. Says whether there may be more.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn line_up(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let more = self.write(move |tx| Box::pin(queues::line_up(tx, now))).await?;
        self.tell(Signal::Ready);
        Ok(more)
    }

    /// Create these runs for whoever may claim them, in their order and in few transactions. Says of each what came of it.
    ///
    /// # Errors
    /// Where the database cannot be reached or refuses a value. Those that were created before stay.
    pub async fn create_many(&self, new: Vec<NewRun>) -> Result<Vec<Created>, Error> {
        let mut came_of = Vec::with_capacity(new.len());
        for part in new.chunks(MANY) {
            let mut part = part.to_vec();
            part.iter_mut().try_for_each(|run| self.sealer.seal_run(run))?;
            let part = Arc::new(part);
            let made = part.clone();
            let created = self.write(move |tx| {
                let part = made.clone();
                Box::pin(async move { runs::create_many(tx, &part).await })
            });
            came_of.extend(created.await?);
            runs::ready_all(&part).into_iter().for_each(|signal| self.tell(signal));
        }
        Ok(came_of)
    }

    /// Give the input of this run to the one that gathers for the key; without one it is created.
    ///
    /// # Errors
    /// Where the database cannot be reached or refuses a value.
    pub async fn debounce(&self, mut run: NewRun, gather: Gather) -> Result<Created, Error> {
        self.sealer.seal_run(&mut run)?;
        let (asked, now) = (Arc::new((run, gather)), self.clock.now());
        let created = self.write(move |tx| {
            let asked = asked.clone();
            Box::pin(async move { gather::debounce(tx, &asked.0, &asked.1, now).await })
        });
        let created = created.await?;
        self.tell(Signal::Ready);
        Ok(created)
    }

    /// Push an item into the batch that gathers for the key; without one, this run is created with it. The item, and not the
    /// input of the run, is what is pushed; the hash is that of the item.
    ///
    /// # Errors
    /// [`Code::Conflict`](onward_types::Code::Conflict) if the same push was of another item, or the id of the run is taken;
    /// [`Code::Decode`](onward_types::Code::Decode) if this store cannot read what the batch has; or where the database cannot be
    /// reached or refuses a value.
    pub async fn push(&self, run: NewRun, push: Push) -> Result<Created, Error> {
        let (asked, sealer, now) = (Arc::new((run, push)), self.sealer.clone(), self.clock.now());
        let created = self.write(move |tx| {
            let (asked, sealer) = (asked.clone(), sealer.clone());
            Box::pin(async move { gather::push(tx, &asked.0, &asked.1, &sealer, now).await })
        });
        let created = created.await?;
        self.tell(Signal::Ready);
        Ok(created)
    }

    /// Take waiting runs of one queue, within its limits.
    ///
    /// # Errors
    /// Where the database cannot be reached, or somebody holds the queue's row. Runs may have been taken all the same, where
    /// only the answer was lost: [`owned`](Store::owned) tells of them.
    pub async fn claim_queue(&self, mut wanted: QueueClaim) -> Result<QueueClaimed, Error> {
        loop {
            let (claim, clock) = (Arc::new(wanted.clone()), self.clock.clone());
            let claimed = self.try_write(move |tx| {
                let (claim, clock) = (claim.clone(), clock.clone());
                Box::pin(async move { queue_claim::claim(tx, &claim, &clock).await })
            });
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

    /// Make a queue, or change what is said of it.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn set_queue(&self, name: &str, change: QueueChange) -> Result<QueueInfo, Error> {
        let (name, now) = (Arc::<str>::from(name), self.clock.now());
        let set = self
            .write(move |tx| {
                let name = name.clone();
                Box::pin(async move { queues::set(tx, &name, &change, now).await })
            })
            .await?;
        self.tell(Signal::Ready);
        Ok(set)
    }

    /// Forget starts that no rate of a queue looks at any more. Says how many rows that were.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn sweep_starts(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        self.write(move |tx| Box::pin(starts::sweep(tx, now))).await
    }

    /// Pause a queue, or let it go on.
    ///
    /// # Errors
    /// [`Code::UnknownQueue`](onward_types::Code::UnknownQueue) if there is none of that name.
    pub async fn pause_queue(&self, name: &str, paused: bool) -> Result<(), Error> {
        let (name, now) = (Arc::<str>::from(name), self.clock.now());
        self.write(move |tx| {
            let name = name.clone();
            Box::pin(async move { queues::set_paused(tx, &name, paused, now).await })
        })
        .await?;
        self.tell(Signal::Ready);
        Ok(())
    }

    /// Delete a queue. Says whether there was one.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn delete_queue(&self, name: &str) -> Result<bool, Error> {
        let name = Arc::<str>::from(name);
        self.write(move |tx| {
            let name = name.clone();
            Box::pin(async move { queues::delete(tx, &name).await })
        })
        .await
    }

    /// How a queue stands.
    ///
    /// # Errors
    /// [`Code::UnknownQueue`](onward_types::Code::UnknownQueue) if there is none of that name.
    pub async fn queue(&self, name: &str) -> Result<QueueInfo, Error> {
        let name = Arc::<str>::from(name);
        self.read(move |tx| {
            let name = name.clone();
            Box::pin(async move { queues::info(tx, &name).await })
        })
        .await
    }

    /// How every queue stands.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn queues(&self) -> Result<Vec<QueueInfo>, Error> {
        self.read(|tx| Box::pin(queues::all(tx))).await
    }
}
