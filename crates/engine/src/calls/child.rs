//! `ctx.run` and `ctx.start`, by type or by name: child runs with ids of their own, linked to their parent.
//!
//! The creation of a child is a change of its parent: it is part of the same commit as the checkpoint before it, and the child
//! is executed only after that commit. A replay finds the same child by its wait, or by the position that started it.

mod creation;
mod ended;

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use onward_store::WaitKind;
use onward_types::{Code, Error, ErrorType, Json, RunId, RunKey, StepKind};
use serde::{Deserialize, Serialize};

use self::creation::{ChildCode, ChildPlan, Creation, check_registered};
use self::ended::wait_for;
use super::{Drive, Lent, durable_call};
use crate::data::Data;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;
use crate::future::BoxFuture;
use crate::plan::{Options, option_methods};
use crate::workflow::Workflow;

/// Starts a child run and waits for its result. Made by [`Ctx::run`].
///
/// Dropping it, for example as the loser of a race, ends the wait; the child continues.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Child<'a, T> {
    call: ChildCall,
    output: Lent<'a, T>,
}

/// Starts a child run. Made by [`Ctx::start`]; resolves to a [`ChildRun`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct StartChild<'a, T> {
    call: StartChildCall,
    output: Lent<'a, T>,
}

/// A child that was started. Get its result with [`result`](ChildRun::result), now or later.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ChildRun<T> {
    id: RunId,
    key: RunKey,
    #[serde(skip)]
    errors: ErrorType,
    #[serde(skip)]
    output: PhantomData<fn() -> T>,
}

/// Waits for the result of a child. Made by [`ChildRun::result`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct ChildResult<'a, T> {
    drive: Drive,
    id: RunId,
    key: RunKey,
    waiting: Option<BoxFuture<'static, Outcome>>,
    errors: ErrorType,
    output: Lent<'a, T>,
}

struct ChildCall {
    drive: Drive,
    plan: ChildPlan,
    creation: Creation,
    waiting: Option<BoxFuture<'static, Outcome>>,
    errors: ErrorType,
}

impl ChildCall {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ChildCall { drive, plan, creation, waiting, errors } = self;
        plan.note_end(drive);
        let polled = drive.poll(cx, |drive, cx| {
            if waiting.is_none() {
                *waiting = Some(match begin(cx, drive, plan, creation) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(waiting)) => waiting,
                });
            }
            waiting.as_mut().map_or(Poll::Pending, |waiting| waiting.as_mut().poll(cx))
        });
        super::unread::checked(drive, *errors, polled)
    }
}

/// Finds the child that was created before, or creates it; then waits for it.
fn begin(
    cx: &mut Context<'_>,
    drive: &Drive,
    plan: &ChildPlan,
    creation: &mut Creation,
) -> Poll<Result<BoxFuture<'static, Outcome>, Error>> {
    let core = &drive.core;
    if core.is_detached() {
        return Poll::Ready(match plan.code {
            ChildCode::Typed(inline) => plan.plan.input().map(|input| inline(core, &input)),
            ChildCode::Named => Err(no_names(&plan.plan.workflow)),
        });
    }
    let recorded = core.with_state(|state| state.take_wait(drive.position));
    if let Some(WaitKind::Child(key)) = recorded {
        return Poll::Ready(Ok(wait_for(drive, key)));
    }
    if !check_registered(drive, plan) {
        return Poll::Pending;
    }
    match creation.poll(cx, drive, plan) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Ready(Ok((_, key))) => {
            let now = core.clock().now();
            core.with_state(|state| state.open_wait(drive.position, &drive.name, WaitKind::Child(key), now));
            Poll::Ready(Ok(wait_for(drive, key)))
        }
    }
}

/// A detached context has no registry, so a name says nothing to it.
fn no_names(workflow: &str) -> Error {
    let message = format!(
        "a detached context has no workflows, so it cannot run `{workflow}` by its name: run it by its type, or open \
         `sqlite::memory:` and register it there"
    );
    Error::new(Code::Invalid, message)
}

struct StartChildCall {
    drive: Drive,
    plan: ChildPlan,
    creation: Creation,
    errors: ErrorType,
}

impl StartChildCall {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let StartChildCall { drive, plan, creation, .. } = self;
        plan.note_end(drive);
        drive.poll(cx, |drive, cx| {
            if drive.core.is_detached() {
                let message =
                    "a detached context cannot start child runs: run the child inline, or open `sqlite::memory:`";
                return Poll::Ready(Err(Error::new(Code::Invalid, message)));
            }
            if !check_registered(drive, plan) {
                return Poll::Pending;
            }
            creation.poll(cx, drive, plan).map(|child| {
                let (id, key) = child?;
                Json::encode(&ChildRun::<()> { id, key, errors: ErrorType::any(), output: PhantomData })
            })
        })
    }
}

macro_rules! planned {
    ($call:ident) => {
        impl<T: Data> $call<'_, T> {
            fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
                set(&mut self.call.plan.plan.options);
                self
            }

            option_methods!(id);

            /// What becomes of the child when this run ends, whatever its end. Without it the child is cancelled if this run is
            /// cancelled, and goes on if this run succeeds, fails or is given up.
            ///
            /// ```
            /// # use onward_engine::{Ctx, ParentEnd, Result};
            /// async fn shop(ctx: &Ctx) -> Result<()> {
            ///     let watch = ctx.start_named("watch", ()).on_parent_end(ParentEnd::Cancel).await?; // ends with this run
            ///     ctx.run_named("newsletter", ()).on_parent_end(ParentEnd::Wait).await?;
            ///     println!("{} watches", watch.id());
            ///     Ok(())
            /// }
            /// ```
            pub fn on_parent_end(self, end: onward_types::ParentEnd) -> Self {
                self.set(|options| options.given.on_parent_end = Some(end))
            }

            fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
                self.call.poll(cx)
            }

            fn drive(&mut self) -> Option<&mut Drive> {
                Some(&mut self.call.drive)
            }
        }

        impl<T> Unpin for $call<'_, T> {}
    };
}

planned!(Child);
planned!(StartChild);
durable_call!(Child<'_, T> => poll_call);

impl<'a, T: Data> Child<'a, T> {
    pub(crate) fn new<W: Workflow<Output = T>>(ctx: &'a Ctx, input: &W::Input) -> Child<'a, T> {
        let drive = Drive::new(ctx, StepKind::Child, W::NAME);
        let plan = ChildPlan::new::<W>(input);
        let call = ChildCall { drive, plan, creation: Creation::New, waiting: None, errors: W::ERRORS };
        Child { call, output: PhantomData }
    }

    /// The same call, with the output decoded as a `U`.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn price(ctx: &Ctx, graph: &str) -> Result<u64> {
    ///     Ok(ctx.run_named(graph, "apple").typed::<u64>().await?)
    /// }
    /// ```
    pub fn typed<U: Data>(self) -> Child<'a, U> {
        Child { call: self.call, output: PhantomData }
    }
}

impl<'a> Child<'a, serde_json::Value> {
    pub(crate) fn named(ctx: &'a Ctx, workflow: &str, input: &impl Serialize) -> Child<'a, serde_json::Value> {
        let drive = Drive::new(ctx, StepKind::Child, workflow);
        let plan = ChildPlan::named(workflow, input);
        let call = ChildCall { drive, plan, creation: Creation::New, waiting: None, errors: ErrorType::any() };
        Child { call, output: PhantomData }
    }
}

impl<'a> StartChild<'a, serde_json::Value> {
    pub(crate) fn named(ctx: &'a Ctx, workflow: &str, input: &impl Serialize) -> StartChild<'a, serde_json::Value> {
        let drive = Drive::new(ctx, StepKind::Start, workflow);
        let plan = ChildPlan::named(workflow, input);
        let call = StartChildCall { drive, plan, creation: Creation::New, errors: ErrorType::any() };
        StartChild { call, output: PhantomData }
    }
}

impl<'a, T: Data> StartChild<'a, T> {
    pub(crate) fn new<W: Workflow<Output = T>>(ctx: &'a Ctx, input: &W::Input) -> StartChild<'a, T> {
        let drive = Drive::new(ctx, StepKind::Start, W::NAME);
        let plan = ChildPlan::new::<W>(input);
        let call = StartChildCall { drive, plan, creation: Creation::New, errors: W::ERRORS };
        StartChild { call, output: PhantomData }
    }

    /// The same call, with the output of the child decoded as a `U`.
    ///
    /// ```
    /// # use onward_engine::{ChildRun, Ctx, Result};
    /// async fn price(ctx: &Ctx, graph: &str) -> Result<u64> {
    ///     let child: ChildRun<u64> = ctx.start_named(graph, "apple").typed().await?;
    ///     Ok(child.result(ctx).await?)
    /// }
    /// ```
    pub fn typed<U: Data>(self) -> StartChild<'a, U> {
        StartChild { call: self.call, output: PhantomData }
    }
}

impl<T: Data> Future for StartChild<'_, T> {
    type Output = Result<ChildRun<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.poll_call(cx));
        let errors = self.call.errors;
        let child: Poll<Result<ChildRun<T>, Error>> = super::unread::resolve(self.drive(), outcome);
        child.map_ok(|child| ChildRun { errors, ..child })
    }
}

impl<T: Data> super::select::DurableCall for StartChild<'_, T> {
    type Output = ChildRun<T>;
}

impl<T: Data> ChildRun<T> {
    /// The id of the child.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Wait for the result of the child.
    pub fn result<'a>(&self, ctx: &'a Ctx) -> ChildResult<'a, T> {
        let drive = Drive::new(ctx, StepKind::Child, self.id.as_str());
        ChildResult {
            drive,
            id: self.id.clone(),
            key: self.key,
            waiting: None,
            errors: self.errors,
            output: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for ChildRun<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildRun").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T> Unpin for ChildResult<'_, T> {}

impl<T: Data> ChildResult<'_, T> {
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ChildResult { drive, id, key, waiting, errors, .. } = self;
        let polled = drive.poll(cx, |drive, cx| {
            let core = &drive.core;
            if core.is_detached() {
                let message =
                    format!("a detached context cannot wait for child {id:?}: open `sqlite::memory:` instead");
                return Poll::Ready(Err(Error::new(Code::Invalid, message)));
            }
            let waiting = waiting.get_or_insert_with(|| {
                let recorded = core.with_state(|state| state.take_wait(drive.position));
                if recorded.is_none() {
                    let now = core.clock().now();
                    core.with_state(|state| state.open_wait(drive.position, &drive.name, WaitKind::Child(*key), now));
                }
                wait_for(drive, *key)
            });
            waiting.as_mut().poll(cx)
        });
        super::unread::checked(drive, *errors, polled)
    }

    fn drive(&mut self) -> Option<&mut Drive> {
        Some(&mut self.drive)
    }
}

durable_call!(ChildResult<'_, T> => poll_call);
