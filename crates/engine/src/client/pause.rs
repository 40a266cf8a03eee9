//! Pauses of queues and schedules, and their ends, with who does it and why.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::Store;
use onward_types::{Attribution, Error};

use super::lazy::Lazy;
use crate::cron::Cron;

/// A pause of a queue, or its end. Made by [`Queue::pause`](crate::Queue::pause) and [`Queue::resume`](crate::Queue::resume); done
/// when it is awaited. Resolves to whether the queue changed.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// if !client.queue("mail").pause().by("ann").reason("the relay is down").await? {
///     println!("somebody has paused it already");
/// }
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct SteerQueue(Act);

/// A pause of a schedule, or its end. Made by [`ScheduleHandle::pause`](crate::ScheduleHandle::pause) and
/// [`ScheduleHandle::resume`](crate::ScheduleHandle::resume); done when it is awaited. Resolves to whether the schedule changed.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// let resumed = client.schedule_handle("morning").resume().by("bob").await?;
/// println!("{}", if resumed { "it ticks again" } else { "it was not paused" });
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct SteerSchedule(Act);

/// A pause, or its end: what the two have in common.
struct Act {
    store: Store,
    name: String,
    pause: bool,
    call: Lazy<'static, Attribution, Result<bool, Error>>,
}

impl Act {
    fn new(store: &Store, name: impl Into<String>, pause: bool) -> Act {
        Act { store: store.clone(), name: name.into(), pause, call: Lazy::new(Attribution::default()) }
    }
}

impl SteerQueue {
    pub(super) fn new(store: &Store, name: String, pause: bool) -> SteerQueue {
        SteerQueue(Act::new(store, name, pause))
    }

    /// Who does it, for example the name of a user: 1 to 512 bytes without control characters. It is shown with the queue, and in
    /// the reason of each run that waits in it.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.0.call.change(|who| who.by = Some(actor.into()));
        self
    }

    /// Why: one line of at most 2,048 bytes. It is shown as the actor is.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.call.change(|who| who.reason = Some(reason.into()));
        self
    }
}

impl SteerSchedule {
    pub(super) fn new(store: &Store, id: &str, pause: bool) -> SteerSchedule {
        SteerSchedule(Act::new(store, id, pause))
    }

    /// Who does it, for example the name of a user: 1 to 512 bytes without control characters. It is shown with the schedule.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.0.call.change(|who| who.by = Some(actor.into()));
        self
    }

    /// Why: one line of at most 2,048 bytes. It is shown with the schedule.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.call.change(|who| who.reason = Some(reason.into()));
        self
    }
}

impl Future for SteerQueue {
    type Output = Result<bool, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Act { store, name, pause, call } = &mut self.0;
        call.poll(cx, |who| {
            let (store, name, pause) = (store.clone(), name.clone(), *pause);
            Box::pin(async move { store.pause_queue(&name, pause, &who).await })
        })
    }
}

impl Future for SteerSchedule {
    type Output = Result<bool, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Act { store, name, pause, call } = &mut self.0;
        call.poll(cx, |who| {
            let (store, name, pause) = (store.clone(), name.clone(), *pause);
            Box::pin(async move {
                if pause { store.pause_schedule(&name, &who).await } else { resume_schedule(&store, &name, &who).await }
            })
        })
    }
}

/// Its ticks count from now on.
async fn resume_schedule(store: &Store, id: &str, who: &Attribution) -> Result<bool, Error> {
    let schedule = store.schedule(id).await?;
    let since = store.clock().now().max(schedule.done_until);
    let next = Cron::new(&schedule.cron, &schedule.zone)?.next(since);
    store.resume_schedule(id, since, next, who).await
}
