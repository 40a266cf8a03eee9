//! What can be asked of queues.

use std::sync::Arc;

use onward_types::{Error, QueueInfo};

use super::Store;
use crate::ops::queue_claim::{self, QueueClaim, QueueClaimed};
use crate::ops::queues::{self, Lines, QueueChange};
use crate::signal::Signal;

impl Store {
    /// From which queues an executor of these workflows may take something, and when the next delayed run enters its queue.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn lines(&self, workflows: Arc<Vec<String>>) -> Result<Lines, Error> {
        let now = self.clock.now();
        self.read(move |tx| {
            let workflows = workflows.clone();
            Box::pin(async move { queues::lines(tx, &workflows, now).await })
        })
        .await
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
                Some(claimed) => {
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
