//! Queues from outside: make and change them, look at them, pause them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{QueueChange, Set, Store};
use onward_types::{Code, Error, QueueInfo, Rate, check_name};

use super::Client;
use crate::future::BoxFuture;

/// A queue. Made by [`Client::queue`]: await it to make the queue or to change its limits, or call what is to be done.
#[must_use = "a queue is made or changed when this is awaited"]
pub struct Queue<'a> {
    store: &'a Store,
    name: String,
    change: QueueChange,
    wrong: Option<Error>,
    setting: Option<BoxFuture<'a, Result<QueueInfo, Error>>>,
}

impl Client {
    /// A queue of this name. Awaited, it is made if it is not there, and changed as far as something is said; limits that
    /// are not said stay as they are. A change holds from its commit on, for every executor.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// use std::time::Duration;
    /// client.queue("mail").concurrency(5).rate(100, Duration::from_secs(60)).await?;
    /// client.queue("mail").concurrency(None).await?; // lifts this limit, and leaves the rate
    /// client.queue("mail").pause().await?;
    /// assert!(client.queue("mail").info().await?.paused);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` for a name that is none, and for a limit of 0: pause the queue instead.
    pub fn queue(&self, name: impl Into<String>) -> Queue<'_> {
        let name = name.into();
        let wrong = check_name("queue's name", &name).err();
        Queue { store: &self.store, name, change: QueueChange::default(), wrong, setting: None }
    }

    /// Every queue, as it stands.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn queues(&self) -> Result<Vec<QueueInfo>, Error> {
        self.store.queues().await
    }
}

impl Queue<'_> {
    /// How many of its runs may run at once, over all executors. A run that is parked while it waits still counts.
    pub fn concurrency(mut self, runs: impl Into<Option<u32>>) -> Self {
        self.change.concurrency = self.limit("concurrency", runs.into());
        self
    }

    /// How many of its runs one executor may have at once. A parked run is no executor's.
    pub fn per_executor(mut self, runs: impl Into<Option<u32>>) -> Self {
        self.change.per_executor = self.limit("limit per executor", runs.into());
        self
    }

    /// How many of its runs may start in any period of this length. A recovery is no start.
    pub fn rate(mut self, starts: impl Into<Option<u32>>, period: Duration) -> Self {
        self.change.rate = self.limit_rate("rate", starts.into(), period);
        self
    }

    /// How many runs of one partition may run at once. With a limit of partitions, they are served in turn.
    pub fn partition_concurrency(mut self, runs: impl Into<Option<u32>>) -> Self {
        self.change.partition_concurrency = self.limit("concurrency of a partition", runs.into());
        self
    }

    /// How many runs of one partition may start in any period of this length.
    pub fn partition_rate(mut self, starts: impl Into<Option<u32>>, period: Duration) -> Self {
        self.change.partition_rate = self.limit_rate("rate of a partition", starts.into(), period);
        self
    }

    fn limit(&mut self, what: &str, most: Option<u32>) -> Set<u32> {
        if most == Some(0) {
            let message =
                format!("a {what} of 0 lets nothing start: give 1 or more, or pause the queue with `.pause()`");
            self.wrong.get_or_insert(Error::new(Code::Invalid, message));
        }
        Some(most)
    }

    fn limit_rate(&mut self, what: &str, count: Option<u32>, period: Duration) -> Set<Rate> {
        let count = self.limit(what, count).flatten();
        if count.is_some() && period.as_micros() == 0 {
            let message = format!("a {what} needs a period: give 1 µs or more");
            self.wrong.get_or_insert(Error::new(Code::Invalid, message));
        }
        Some(count.map(|count| Rate { count, period }))
    }

    /// How it stands.
    ///
    /// # Errors
    /// `unknown_queue` if there is none of that name.
    pub async fn info(self) -> Result<QueueInfo, Error> {
        self.store.queue(&self.name).await
    }

    /// Start nothing more from it. What runs goes on.
    ///
    /// # Errors
    /// `unknown_queue` if there is none of that name.
    pub async fn pause(self) -> Result<(), Error> {
        self.store.pause_queue(&self.name, true).await
    }

    /// Let it go on after a pause.
    ///
    /// # Errors
    /// `unknown_queue` if there is none of that name.
    pub async fn resume(self) -> Result<(), Error> {
        self.store.pause_queue(&self.name, false).await
    }

    /// Delete it; says whether it was there. No run is lost: what waits in it waits until there is a queue of that name
    /// again, and what runs goes on.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn delete(self) -> Result<bool, Error> {
        self.store.delete_queue(&self.name).await
    }
}

impl Future for Queue<'_> {
    type Output = Result<QueueInfo, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(wrong) = self.wrong.take() {
            return Poll::Ready(Err(wrong));
        }
        let (store, change) = (self.store, self.change);
        let name = self.name.clone();
        let setting = self.setting.get_or_insert_with(|| Box::pin(async move { store.set_queue(&name, change).await }));
        setting.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}
