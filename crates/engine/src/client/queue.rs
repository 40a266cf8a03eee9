//! Queues: create them, declare and override their limits, inspect, pause and delete them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{LimitChange, QueueChange};
use onward_types::{Code, Error, QueueRecord, Rate, check_name};

use super::Client;
use super::pause::SteerQueue;
use super::queue_override::OverrideQueue;
use crate::future::BoxFuture;

/// A queue. Made by [`Client::queue`]: await it to create the queue and declare its limits, or call one of its methods.
#[must_use = "a queue is made or changed when this is awaited"]
pub struct Queue<'a> {
    client: &'a Client,
    name: String,
    change: QueueChange,
    wrong: Option<Error>,
    setting: Option<BoxFuture<'a, Result<QueueRecord, Error>>>,
}

impl Client {
    /// The queue of this name. Awaiting it creates the queue if it does not exist, and declares the limits that were given: they are
    /// those of the code that runs, and code declares them each time it starts. Other limits keep their values. What an operator
    /// set with [`override_limits`](Queue::override_limits) or `onward queues set` stays in force. A change applies to every
    /// executor as soon as it is committed.
    ///
    /// If executors declare different values, as during a deploy, the one that was first declared last is in force as long as an
    /// executor that declares it lives; one that starts again with an older value changes nothing. If this process has no executor,
    /// its declaration counts until another one is made.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// use std::time::Duration;
    /// client.queue("mail").concurrency(5).rate(100, Duration::from_secs(60)).await?;
    /// client.queue("mail").concurrency(None).await?; // removes this limit and keeps the rate
    /// client.queue("mail").pause().await?;
    /// assert!(client.queue("mail").info().await?.paused);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` if the name is not valid, or for a limit of 0: pause the queue instead.
    pub fn queue(&self, name: impl Into<String>) -> Queue<'_> {
        let name = name.into();
        let wrong = check_name("queue's name", &name).err();
        Queue { client: self, name, change: QueueChange::default(), wrong, setting: None }
    }

    /// Every queue, with its limits and counts.
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn queues(&self) -> Result<Vec<QueueRecord>, Error> {
        self.store.queues().await
    }
}

impl Queue<'_> {
    /// The number of its runs that may run at once, across all executors; `None` removes the limit. A parked run counts.
    pub fn concurrency(mut self, runs: impl Into<Option<u32>>) -> Self {
        self.change.concurrency = self.limit("concurrency", runs.into());
        self
    }

    /// The number of its runs that one executor may have at once; `None` removes the limit. A parked run has no executor and
    /// does not count.
    pub fn per_executor(mut self, runs: impl Into<Option<u32>>) -> Self {
        self.change.per_executor = self.limit("limit per executor", runs.into());
        self
    }

    /// The number of its runs that may start in any period of this length; `None` removes the limit. A recovery does not count
    /// as a start.
    pub fn rate(mut self, starts: impl Into<Option<u32>>, period: Duration) -> Self {
        self.change.rate = self.limit_rate("rate", starts.into(), period);
        self
    }

    /// The number of runs of one partition that may run at once; `None` removes the limit. If a queue has a partition limit,
    /// its partitions take turns.
    pub fn partition_concurrency(mut self, runs: impl Into<Option<u32>>) -> Self {
        self.change.partition_concurrency = self.limit("concurrency of a partition", runs.into());
        self
    }

    /// The number of runs of one partition that may start in any period of this length; `None` removes the limit.
    pub fn partition_rate(mut self, starts: impl Into<Option<u32>>, period: Duration) -> Self {
        self.change.partition_rate = self.limit_rate("rate of a partition", starts.into(), period);
        self
    }

    fn limit(&mut self, what: &str, most: Option<u32>) -> LimitChange<u32> {
        if most == Some(0) {
            let message = format!("a {what} of 0 would start no run: give 1 or more, or pause the queue");
            self.wrong.get_or_insert(Error::new(Code::Invalid, message));
        }
        Some(most)
    }

    fn limit_rate(&mut self, what: &str, count: Option<u32>, period: Duration) -> LimitChange<Rate> {
        let count = self.limit(what, count).flatten();
        if count.is_some() && (period.is_zero() || !period.as_nanos().is_multiple_of(1_000_000)) {
            let message = format!("a {what} needs a period of whole milliseconds, 1 ms or more; it is {period:?}");
            self.wrong.get_or_insert(Error::new(Code::Invalid, message));
        }
        Some(count.map(|count| Rate { count, period }))
    }

    /// Set the limits that were given in place of those that code declares, until [`clear_override`](Queue::clear_override): for
    /// operators, and for programs that act for them. What code declares later, in a deploy or after a restart, is recorded and
    /// changes nothing. Limits that are not given stay as they are. Creates the queue if it does not exist.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// client.queue("mail").concurrency(5).await?; // the code says so whenever it starts
    /// client.queue("mail").concurrency(1).override_limits().by("ann").reason("the relay is slow").await?;
    ///
    /// let mail = client.queue("mail").concurrency(6).await?; // a deploy
    /// assert_eq!((mail.limits.concurrency, mail.declared.concurrency), (Some(1), Some(6)));
    /// assert_eq!(mail.overridden.unwrap().to_string(), "overridden by ann: \"the relay is slow\"");
    ///
    /// let mail = client.queue("mail").clear_override().await?;
    /// assert_eq!((mail.limits.concurrency, mail.overridden), (Some(6), None));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Client::queue`]; `invalid` if the actor's name or the reason is not valid.
    pub fn override_limits(self) -> OverrideQueue {
        let change = self.wrong.map_or(Ok(self.change), Err);
        OverrideQueue::new(&self.client.store, self.name, change)
    }

    /// Give all limits back to code: what it declares is in force again. Nothing changes if nothing is overridden.
    ///
    /// # Errors
    /// `unknown_queue` if the queue does not exist; `invalid` if the name is not valid.
    pub async fn clear_override(self) -> Result<QueueRecord, Error> {
        match self.wrong {
            Some(wrong) => Err(wrong),
            None => self.client.store.clear_queue_override(&self.name).await,
        }
    }

    /// The limits and the counts of the queue.
    ///
    /// # Errors
    /// `unknown_queue` if the queue does not exist.
    pub async fn info(self) -> Result<QueueRecord, Error> {
        self.client.store.queue(&self.name).await
    }

    /// Start no more runs from the queue. Running runs continue. Resolves to whether the queue changed: it does not if it is
    /// paused already, and then the first reason stays.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// # client.queue("mail").await?;
    /// client.queue("mail").pause().by("ann").reason("the relay is down").await?;
    /// let mail = client.queue("mail").info().await?;
    /// assert_eq!(mail.steered.unwrap().to_string(), "paused by ann: \"the relay is down\"");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_queue` if the queue does not exist; `invalid` if the actor's name or the reason is not valid.
    pub fn pause(self) -> SteerQueue {
        SteerQueue::new(&self.client.store, self.name, true)
    }

    /// Start runs again after a pause. Resolves to whether the queue changed.
    ///
    /// # Errors
    /// See [`pause`](Queue::pause).
    pub fn resume(self) -> SteerQueue {
        SteerQueue::new(&self.client.store, self.name, false)
    }

    /// Delete the queue; returns whether it existed. No run is lost: waiting runs stay until a queue of that name exists again,
    /// and running runs continue.
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn delete(self) -> Result<bool, Error> {
        if let Some(executor) = &self.client.executor {
            executor.declared.forget(&self.name);
        }
        self.client.store.delete_queue(&self.name).await
    }
}

impl Future for Queue<'_> {
    type Output = Result<QueueRecord, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(wrong) = self.wrong.take() {
            return Poll::Ready(Err(wrong));
        }
        let (client, change) = (self.client, self.change);
        let name = self.name.clone();
        let setting = self.setting.get_or_insert_with(|| Box::pin(async move { declare(client, name, change).await }));
        setting.as_mut().poll(cx)
    }
}

async fn declare(client: &Client, name: String, change: QueueChange) -> Result<QueueRecord, Error> {
    let Some(executor) = &client.executor else { return client.store.set_queue(&name, change).await };
    let by = executor.seat().executor.clone();
    let queue = client.store.declare_queue(&name, change, by).await?;
    executor.declared.add(name, change);
    Ok(queue)
}

impl std::fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}
