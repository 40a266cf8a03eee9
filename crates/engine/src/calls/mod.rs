//! The durable calls. Each file is one of them; this one has what they share.
//!
//! A call takes its position when it is built and begins when it is first polled. A recorded result is returned; otherwise the
//! call does its work, completes, and its result is delivered in turn.

pub(crate) mod all;
mod answered;
pub(crate) mod branch;
pub(crate) mod call;
pub(crate) mod chance;
pub(crate) mod child;
pub(crate) mod continues;
pub(crate) mod effect;
pub(crate) mod event;
pub(crate) mod hook;
pub(crate) mod inside;
pub(crate) mod patch;
pub(crate) mod pause;
pub(crate) mod recv;
pub(crate) mod said;
pub(crate) mod select;
pub(crate) mod send;
pub(crate) mod sleep;
pub(crate) mod step;
pub(crate) mod stream;
pub(crate) mod transaction;
pub(crate) mod unread;

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use onward_types::{Code, Error, Json, StepKind};

use crate::data::Data;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Made, Outcome, Polled};
use crate::scope;

/// A call borrows the context that made it, and resolves to a `T`.
pub(crate) type Lent<'a, T> = PhantomData<(&'a Ctx, fn() -> T)>;

/// The part that every durable call shares.
pub(crate) struct Drive {
    pub(crate) core: Arc<RunCore>,
    pub(crate) position: u32,
    pub(crate) kind: StepKind,
    pub(crate) name: Arc<str>,
    stage: Stage,
}

#[derive(PartialEq)]
enum Stage {
    /// Made in a place or with arguments that are not allowed.
    Refused(Option<Box<Refusal>>),
    Built,
    Polled,
    Done,
    /// The recorded result cannot be read. The call never resolves: its run is held.
    Held,
}

struct Refusal(Error);

impl PartialEq for Refusal {
    fn eq(&self, _: &Refusal) -> bool {
        false
    }
}

impl Drive {
    pub(crate) fn new(ctx: &Ctx, kind: StepKind, name: impl AsRef<str>) -> Drive {
        let core = ctx.core.clone();
        let name = ctx.scoped(name.as_ref());
        let refused = nested(kind, &name).or_else(|| onward_types::check_name("name of a call", &name).err());
        if let Some(error) = refused {
            return Drive { core, position: u32::MAX, kind, name, stage: refuse(error) };
        }
        let position = core.with_state(|state| state.take_position());
        Drive { core, position, kind, name, stage: Stage::Built }
    }

    /// Polls the call: returns the recorded outcome, or does the work with `live`.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        live: impl FnOnce(&Drive, &mut Context<'_>) -> Poll<Outcome>,
    ) -> Poll<Outcome> {
        if self.stage == Stage::Held {
            return Poll::Pending;
        }
        if let Some(refused) = self.before() {
            return Poll::Ready(Err(refused));
        }
        if self.core.is_detached() {
            let polled = live(self, cx);
            if polled.is_ready() {
                self.stage = Stage::Done;
            }
            return polled;
        }
        let now = self.core.clock().now();
        let polled =
            self.core.with_state(|state| state.poll_call(self.position, self.kind, &self.name, cx.waker(), now));
        match polled {
            Polled::Done(outcome) => self.done(outcome),
            Polled::Wait => Poll::Pending,
            Polled::Live => {
                if let Poll::Ready(outcome) = live(self, cx) {
                    let now = self.core.clock().now();
                    self.core.with_state(|state| state.complete(self.position, outcome, now));
                }
                Poll::Pending
            }
        }
    }

    /// Polls a call without work: its outcome, or what it publishes (`bytes` long), is made and recorded immediately.
    pub(crate) fn poll_immediate(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
        made: impl FnOnce(&Drive) -> Made,
    ) -> Poll<Outcome> {
        if self.stage == Stage::Held {
            return Poll::Pending;
        }
        if let Some(refused) = self.before() {
            return Poll::Ready(Err(refused));
        }
        if self.core.is_detached() {
            self.stage = Stage::Done;
            return Poll::Ready(match made(self) {
                Made::Outcome(outcome) => outcome,
                Made::Said(_) => Ok(Json::null()),
            });
        }
        let now = self.core.clock().now();
        let (core, this) = (self.core.clone(), &*self);
        let polled = core.with_state(|state| {
            state.immediate(this.position, this.kind, &this.name, cx.waker(), now, bytes, || made(this))
        });
        match polled {
            Polled::Done(outcome) => self.done(outcome),
            Polled::Wait | Polled::Live => Poll::Pending,
        }
    }

    /// The outcome as the workflow sees it. A result that the code cannot decode is not an outcome: it holds the run.
    pub(crate) fn resolve<T: Data>(&mut self, outcome: Outcome) -> Poll<Result<T, Error>> {
        match outcome {
            Ok(json) => match json.decode() {
                Err(why) if !self.core.is_detached() => self.hold(&why),
                read => Poll::Ready(read),
            },
            Err(error) => Poll::Ready(Err(unread::watched(error, self))),
        }
    }

    /// Holds the run because the recorded result of this call cannot be read.
    pub(crate) fn hold<T>(&mut self, why: &Error) -> Poll<T> {
        self.stage = Stage::Held;
        self.core.halt(unread::unreadable(self.position, self.kind, &self.name, why));
        Poll::Pending
    }

    fn done(&mut self, outcome: Outcome) -> Poll<Outcome> {
        self.stage = Stage::Done;
        Poll::Ready(outcome)
    }

    /// The checks before every poll; returns the error if one fails.
    fn before(&mut self) -> Option<Error> {
        assert!(self.stage != Stage::Done, "a durable call was polled after it had resolved");
        if let Stage::Refused(refused) = &mut self.stage {
            let error = refused
                .take()
                .map_or_else(|| Error::new(Code::Invalid, "internal error: a refused call lost its error"), |it| it.0);
            self.stage = Stage::Done;
            return Some(error);
        }
        if !self.core.is_detached() && !scope::is_run(self.core.address()) {
            self.stage = Stage::Done;
            let Drive { kind, name, .. } = self;
            let message = format!(
                "{kind} `{name}` was polled outside the task of its run, where its place in the run's order depends on chance: \
                 await it in the workflow, run calls concurrently through the context, or start a child run instead of a task"
            );
            return Some(Error::new(Code::OutsideRun, message));
        }
        self.stage = Stage::Polled;
        None
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        if self.stage == Stage::Polled && !self.core.is_detached() {
            self.core.with_state(|state| state.dropped(self.position, self.core.clock().now()));
        }
    }
}

fn refuse(error: Error) -> Stage {
    Stage::Refused(Some(Box::new(Refusal(error))))
}

fn nested(kind: StepKind, name: &str) -> Option<Error> {
    let outer = scope::step()?.name;
    let message = format!(
        "{kind} `{name}` was called inside the step `{outer}`: a step is one unit of work, so make durable calls next to it, \
         not in it"
    );
    Some(Error::new(Code::Nested, message))
}

/// Implements `Future` for a call whose outcome is decoded as a `T`.
macro_rules! durable_call {
    ($call:ident < $lifetime:lifetime, $t:ident > => $poll:ident) => {
        impl<$t: crate::data::Data> std::future::Future for $call<$lifetime, $t> {
            type Output = Result<$t, onward_types::Error>;

            fn poll(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                let outcome = std::task::ready!(self.$poll(cx));
                crate::calls::unread::resolve(self.drive(), outcome)
            }
        }

        impl<$t: crate::data::Data> crate::calls::select::DurableCall for $call<$lifetime, $t> {
            type Output = $t;
        }
    };
}
pub(crate) use durable_call;
