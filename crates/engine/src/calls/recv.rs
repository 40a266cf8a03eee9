//! `ctx.recv`: take the next message of a topic.
//!
//! The owner of the run assigns messages to calls in memory, at delivery: the first call takes the oldest message, and the
//! consumption is committed together with the checkpoint. A call that is dropped before has taken nothing. A call that finds no
//! message registers, requests a read of the database, and then waits; after a while without a message its run may be parked.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use onward_store::{WaitKind, add};
use onward_types::{Code, Error, PersonRequest, StepKind, Timestamp, check_topic, hook_of};
use tokio::sync::oneshot;

use super::{Drive, Lent, durable_call};
use crate::data::Data;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::judge::form_of;
use crate::executor::run::state::{Idle, Outcome, Takes};
use crate::future::BoxFuture;

/// Takes a message. Made by [`Ctx::recv`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Recv<'a, T> {
    call: RecvCall,
    output: Lent<'a, T>,
}

/// Takes a message if one arrives in time. Made by [`Recv::timeout`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct RecvTimeout<'a, T> {
    call: RecvCall,
    output: Lent<'a, T>,
}

impl<T> Unpin for Recv<'_, T> {}
impl<T> Unpin for RecvTimeout<'_, T> {}

impl<'a, T: Data> Recv<'a, T> {
    pub(crate) fn new(ctx: &'a Ctx, topic: &str) -> Recv<'a, T> {
        Recv { call: RecvCall::new::<T>(ctx, topic, topic, check_topic(topic).err()), output: PhantomData }
    }

    /// Receives on an internal topic, under a name for people.
    pub(crate) fn on(ctx: &'a Ctx, topic: &str, name: &str) -> Recv<'a, T> {
        Recv { call: RecvCall::new::<T>(ctx, topic, name, None), output: PhantomData }
    }

    /// Stop waiting after this long, counted from when the call is first awaited, and return `None`. A message that has arrived
    /// by then is taken. The end of the wait survives crashes.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn approved(ctx: &Ctx) -> Result<bool> {
    ///     Ok(ctx.recv::<bool>("approval").timeout(Duration::from_secs(86_400)).await?.unwrap_or(false))
    /// }
    /// ```
    pub fn timeout(mut self, limit: Duration) -> RecvTimeout<'a, T> {
        self.call.limit = Some(limit);
        RecvTimeout { call: self.call, output: PhantomData }
    }

    /// Mark the call as one that waits for a person, and say what the person has to do: a title, and optionally a JSON Schema of
    /// the answer for a form. The mark is shown to people: in the reason of the run, in its [`steps`], and in the [`inbox`] over
    /// all runs. It does not restrict who may send the message.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn approved(ctx: &Ctx, expense: u32) -> Result<bool> {
    ///     let decision = ctx.recv::<bool>("approval").from_person(format!("Approve expense {expense}"));
    ///     Ok(decision.timeout(Duration::from_secs(86_400)).await?.unwrap_or(false))
    /// }
    /// ```
    ///
    /// A title that is empty or longer than 1,024 bytes, and a schema longer than 64 KiB, are `invalid`.
    ///
    /// [`steps`]: crate::WorkflowHandle::steps
    /// [`inbox`]: crate::Client::inbox
    pub fn from_person(mut self, request: impl Into<PersonRequest>) -> Self {
        self.call.mark(request.into());
        self
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.call.poll(cx)
    }

    fn drive(&mut self) -> Option<&mut Drive> {
        Some(&mut self.call.drive)
    }
}

durable_call!(Recv<'_, T> => poll_call);

impl<T: Data> RecvTimeout<'_, T> {
    /// See [`Recv::from_person`].
    pub fn from_person(mut self, request: impl Into<PersonRequest>) -> Self {
        self.call.mark(request.into());
        self
    }
}

impl<T: Data> Future for RecvTimeout<'_, T> {
    type Output = Result<Option<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(self.call.poll(cx)) {
            // The timeout is recorded as an error, so that it differs from every message, also from `null`.
            Err(error) if error.is_timed_out() => Poll::Ready(Ok(None)),
            outcome => self.call.drive.resolve(outcome).map_ok(Some),
        }
    }
}

impl<T: Data> super::select::DurableCall for RecvTimeout<'_, T> {
    type Output = Option<T>;
}

struct RecvCall {
    drive: Drive,
    topic: Arc<str>,
    takes: Takes,
    /// The form of the type in JSON, computed when the call has to wait.
    form: fn() -> Option<Arc<str>>,
    /// What a person has to do, if it waits for a person.
    person: Option<Arc<PersonRequest>>,
    refused: Option<Error>,
    /// Whether its wait was opened by an earlier owner of the run, whose code may have taken another type.
    was_open: bool,
    limit: Option<Duration>,
    due_at: Option<Timestamp>,
    stage: Stage,
}

enum Stage {
    New,
    /// It takes messages, and its timeout is running.
    Begun,
    /// The database is being read for the first time.
    FirstRead(oneshot::Receiver<()>),
    /// There was no message.
    Sleep(Option<BoxFuture<'static, ()>>),
    /// The timeout has passed, and the database is read once more: a message that was sent in time is taken.
    LastRead(oneshot::Receiver<()>),
    TimedOut,
}

impl RecvCall {
    fn new<T: Data>(ctx: &Ctx, topic: &str, name: &str, refused: Option<Error>) -> RecvCall {
        RecvCall {
            drive: Drive::new(ctx, StepKind::Recv, name),
            topic: topic.into(),
            takes: Takes::new::<T>(),
            form: form_of::<T>,
            person: None,
            refused,
            was_open: false,
            limit: None,
            due_at: None,
            stage: Stage::New,
        }
    }

    fn mark(&mut self, request: PersonRequest) {
        if let (Err(error), None) = (request.check(), &self.refused) {
            self.refused = Some(error);
        }
        self.person = Some(Arc::new(request));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let RecvCall { drive, topic, takes, form, person, refused, was_open, limit, due_at, stage } = self;
        drive.poll(cx, |drive, cx| {
            if let Some(refused) = refused {
                return Poll::Ready(Err(refused.clone()));
            }
            if drive.core.is_detached() {
                return Poll::Ready(Err(match limit {
                    Some(limit) => nothing_came(topic, *limit),
                    None => Error::new(
                        Code::Invalid,
                        "a detached context receives no messages: open `sqlite::memory:` instead",
                    ),
                }));
            }
            let (takes, form, limit) = (*takes, *form, *limit);
            let person = person.as_ref();
            let mut polling = Polling { drive, topic, takes, form, person, was_open, limit, due_at, stage };
            loop {
                match polling.advance(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => {}
                    Poll::Ready(Some(error)) => return Poll::Ready(Err(error)),
                }
            }
        })
    }
}

/// A waiting call, with its parts borrowed.
struct Polling<'w> {
    drive: &'w Drive,
    topic: &'w Arc<str>,
    takes: Takes,
    form: fn() -> Option<Arc<str>>,
    person: Option<&'w Arc<PersonRequest>>,
    was_open: &'w mut bool,
    limit: Option<Duration>,
    due_at: &'w mut Option<Timestamp>,
    stage: &'w mut Stage,
}

impl Polling<'_> {
    /// Advances by one stage; returns the error if no message arrived in time. Messages are not returned here: they are
    /// delivered.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        let core = &self.drive.core;
        if let Stage::New = self.stage {
            self.begin();
            *self.stage = Stage::Begun;
        }
        if core.with_state(|state| state.is_message_there(self.drive.position)) {
            return Poll::Pending;
        }
        let next = match self.stage {
            Stage::New | Stage::Begun => Stage::FirstRead(request_read(core)),
            Stage::FirstRead(answer) => match Pin::new(answer).poll(cx) {
                Poll::Ready(Ok(())) if core.with_state(|state| state.has_more(self.topic)) => {
                    Stage::FirstRead(request_read(core))
                }
                Poll::Ready(Ok(())) => self.sleep(),
                // The executor is shutting down.
                Poll::Ready(Err(_)) | Poll::Pending => return Poll::Pending,
            },
            Stage::Sleep(None) => return Poll::Pending,
            Stage::Sleep(Some(timer)) => match timer.as_mut().poll(cx) {
                Poll::Ready(()) => {
                    core.with_state(|state| state.set_idle(self.drive.position, Idle::No));
                    Stage::LastRead(request_read(core))
                }
                Poll::Pending => return Poll::Pending,
            },
            Stage::LastRead(answer) => match Pin::new(answer).poll(cx) {
                Poll::Ready(Ok(())) if core.with_state(|state| state.has_more(self.topic)) => {
                    Stage::LastRead(request_read(core))
                }
                Poll::Ready(Ok(())) => Stage::TimedOut,
                Poll::Ready(Err(_)) | Poll::Pending => return Poll::Pending,
            },
            Stage::TimedOut => {
                return Poll::Ready(Some(nothing_came(self.topic, self.limit.unwrap_or_default())));
            }
        };
        *self.stage = next;
        Poll::Ready(None)
    }

    /// Registers the call as a receiver. If its wait was recorded before a crash, the due time is kept.
    fn begin(&mut self) {
        let core = &self.drive.core;
        let now = core.clock().now();
        core.with_state(|state| {
            *self.due_at = match state.take_wait(self.drive.position) {
                Some(WaitKind::Message { due_at, .. }) => {
                    *self.was_open = true;
                    due_at
                }
                _ => self.limit.map(|limit| add(now, limit)),
            };
            state.receive(self.drive.position, self.topic, self.takes);
            if let Some(request) = self.person {
                state.request_person(self.drive.position, request);
            }
        });
    }

    /// There is no message: from now on the run may be parked.
    fn sleep(&mut self) -> Stage {
        let core = &self.drive.core;
        let due_at = *self.due_at;
        let from_person = self.person.is_some();
        let wait = WaitKind::Message { topic: self.topic.clone(), due_at, form: (self.form)(), from_person };
        let now = core.clock().now();
        core.with_state(|state| {
            if !state.has_wait(self.drive.position) || std::mem::take(self.was_open) {
                state.open_wait(self.drive.position, &self.drive.name, wait, now);
            }
            state.set_idle(self.drive.position, Idle::Until(due_at));
        });
        let clock = core.clock().clone();
        Stage::Sleep(
            due_at.map(|at| -> BoxFuture<'static, ()> { Box::pin(async move { clock.sleep_until(at).await }) }),
        )
    }
}

fn request_read(core: &Arc<RunCore>) -> oneshot::Receiver<()> {
    match core.executor() {
        Some(executor) => executor.message_requests.request(core),
        None => oneshot::channel().1,
    }
}

fn nothing_came(topic: &str, limit: Duration) -> Error {
    let message = match hook_of(topic) {
        Some(token) => format!("no payload arrived at the hook `{token}` within {limit:?}"),
        None => format!("no message arrived on topic `{topic}` within {limit:?}"),
    };
    Error::new(Code::TimedOut, message)
}
