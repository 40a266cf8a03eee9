//! `ctx.get_event`: read the latest value of an event of a run, and wait for it if it is not set yet.
//!
//! The value is recorded: a replay sees the same value, even if the event has changed since. A call that finds no value opens a
//! wait that names the run by its id, because that run need not exist yet. After a while its own run may be parked; setting the
//! event wakes it.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use onward_store::{WaitKind, add};
use onward_types::{Code, Error, Json, RunId, StepKind, Timestamp, check_name};

use super::answered::until_answered;
use super::{Drive, Lent};
use crate::data::Data;
use crate::executor::Executor;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Idle, Outcome};
use crate::executor::waiters::EVENT_TIMEOUT;
use crate::future::BoxFuture;

/// Reads an event of this run or another. Made by [`Ctx::get_event`]; resolves to its latest value, or to `None` if it was not
/// set in time.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct AwaitEvent<'a, T> {
    call: EventCall,
    value: Lent<'a, T>,
}

struct EventCall {
    drive: Drive,
    event: Result<Event, Error>,
    limit: Duration,
    polling: Option<BoxFuture<'static, Outcome>>,
}

/// The event to read.
#[derive(Clone)]
struct Event {
    run: RunId,
    key: Arc<str>,
}

impl<T> Unpin for AwaitEvent<'_, T> {}

impl<'a, T: Data> AwaitEvent<'a, T> {
    pub(crate) fn new(ctx: &'a Ctx, run: &str, key: &str) -> AwaitEvent<'a, T> {
        let drive = Drive::new(ctx, StepKind::GetEvent, key);
        let named = check_name("key of an event", key).and_then(|()| RunId::new(run));
        let event = named.map(|run| Event { run, key: key.into() });
        let call = EventCall { drive, event, limit: EVENT_TIMEOUT, polling: None };
        AwaitEvent { call, value: PhantomData }
    }

    /// How long to wait, counted from when the call is first awaited. Zero reads once without waiting. The default is 60 s. The
    /// end of the wait survives crashes; a value that is set before it is returned.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn is_there_yet(ctx: &Ctx) -> Result<bool> {
    ///     Ok(ctx.get_event::<String>("parcel-7", "delivered").timeout(Duration::ZERO).await?.is_some())
    /// }
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.call.limit = limit;
        self
    }
}

impl<T: Data> Future for AwaitEvent<'_, T> {
    type Output = Result<Option<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(self.call.poll::<T>(cx)) {
            // The timeout is recorded as an error, so that it differs from every value, also from `null`.
            Err(error) if error.is_timed_out() => Poll::Ready(Ok(None)),
            outcome => self.call.drive.resolve(outcome).map_ok(Some),
        }
    }
}

impl EventCall {
    fn poll<T: Data>(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let EventCall { drive, event, limit, polling } = self;
        drive.poll(cx, |drive, cx| {
            let event = match event {
                Ok(event) => event,
                Err(error) => return Poll::Ready(Err(error.clone())),
            };
            let Some(executor) = drive.core.executor() else { return Poll::Ready(Err(not_set(event, *limit))) };
            let polling = polling.get_or_insert_with(|| Polling::begin(drive, executor, event, *limit));
            let read = ready!(polling.as_mut().poll(cx));
            if let Ok(value) = &read
                && let Err(why) = value.decode::<T>()
            {
                drive.core.halt(unreadable(event, &why));
                return Poll::Pending;
            }
            Poll::Ready(read)
        })
    }
}

impl<T: Data> super::select::DurableCall for AwaitEvent<'_, T> {
    type Output = Option<T>;
}

/// The state of the reading call without a reference to its run: the run owns its calls, and they must not keep it alive.
struct Polling {
    core: Weak<RunCore>,
    executor: Arc<Executor>,
    position: u32,
    name: Arc<str>,
    event: Event,
    due_at: Timestamp,
}

impl Polling {
    /// If the wait was recorded before a crash, its due time is kept.
    fn begin(drive: &Drive, executor: &Arc<Executor>, event: &Event, limit: Duration) -> BoxFuture<'static, Outcome> {
        let core = &drive.core;
        let now = core.clock().now();
        let (made, recorded) = core.with_state(|state| (state.made(), state.take_wait(drive.position)));
        let due_at = match recorded {
            Some(WaitKind::Event { due_at, .. }) => due_at,
            _ => add(now, limit),
        };
        let polling = Polling {
            core: Arc::downgrade(core),
            executor: executor.clone(),
            position: drive.position,
            name: drive.name.clone(),
            event: event.clone(),
            due_at,
        };
        Box::pin(polling.read(made, limit))
    }

    async fn read(self, made: u64, limit: Duration) -> Outcome {
        // What this run did before may be what it waits for: a child that it started, an event of its own.
        let durable = std::future::poll_fn(|cx| match self.core.upgrade() {
            Some(core) if core.is_durable(made, cx.waker()) => Poll::Ready(()),
            _ => Poll::Pending,
        });
        durable.await;
        if let Some(value) = self.read_event().await {
            return Ok(value);
        }
        let clock = self.executor.store.clock();
        if clock.now() < self.due_at {
            self.wait();
            tokio::select! {
                biased;
                value = self.set() => return Ok(value),
                () = clock.sleep_until(self.due_at) => {}
            }
            self.is_idle(Idle::No);
            if let Some(value) = self.read_event().await {
                return Ok(value);
            }
        }
        Err(not_set(&self.event, limit))
    }

    /// The event is not set: from now on the run may be parked.
    fn wait(&self) {
        let Some(core) = self.core.upgrade() else { return };
        let Event { run, key } = self.event.clone();
        let now = core.clock().now();
        core.with_state(|state| {
            if !state.has_wait(self.position) {
                let wait = WaitKind::Event { run, key, due_at: self.due_at };
                state.open_wait(self.position, &self.name, wait, now);
            }
            state.set_idle(self.position, Idle::Until(Some(self.due_at)));
        });
    }

    fn is_idle(&self, idle: Idle) {
        if let Some(core) = self.core.upgrade() {
            core.with_state(|state| state.set_idle(self.position, idle));
        }
    }

    async fn read_event(&self) -> Option<Json> {
        let Event { run, key } = &self.event;
        let found = self.answered(|| self.executor.store.event_of(run, key)).await;
        found.and_then(|(_, value)| value)
    }

    async fn set(&self) -> Json {
        let Event { run, key } = &self.event;
        self.answered(|| self.executor.waiters.event(run, key)).await
    }

    /// A value that cannot be decoded, or a row that cannot be read, holds the run: if the error were recorded, it would stay
    /// for ever.
    async fn answered<T, F: Future<Output = Result<T, Error>>>(&self, ask: impl Fn() -> F) -> T {
        match until_answered(self.executor.store.clock(), ask).await {
            Ok(answer) => answer,
            Err(error) => {
                if let Some(core) = self.core.upgrade() {
                    core.halt(error);
                    core.task.wake();
                }
                std::future::pending().await
            }
        }
    }
}

/// Holds the run instead of recording the value: the event can be set again.
fn unreadable(event: &Event, why: &Error) -> Error {
    let Event { run, key } = event;
    let message = format!(
        "event `{key}` of run {run:?} cannot be read: {why}. Deploy code that reads it, or set the event again, then resume the run"
    );
    Error::new(Code::Decode, message)
}

fn not_set(event: &Event, limit: Duration) -> Error {
    let Event { run, key } = event;
    Error::new(Code::TimedOut, format!("event `{key}` of run {run:?} was not set within {limit:?}"))
}
