//! `ctx.run` and `ctx.start`, by type or by name: child runs with ids of their own, linked to their parent.
//!
//! The creation of a child is a change of its parent: it is part of the same commit as the checkpoint before it, and the child
//! is executed only after that commit. A replay finds the same child by its wait, or by the position that started it.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use onward_store::{Change, Created, Existing, NewRun, Stray, WaitKind};
use onward_types::{Code, Error, HeldAt, Json, RunId, RunKey, RunOptions, StepKind, Taken};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::answered::until_answered;
use super::{Drive, Lent, durable_call};
use crate::data::{Data, encode};
use crate::executor::Executor;
use crate::executor::run::core::{Home, RunCore};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Idle, Outcome};
use crate::executor::waiters::{Until, result_of};
use crate::future::BoxFuture;
use crate::plan::{Options, Plan, holder_of_dedup, option_methods, same_run};
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
    output: PhantomData<fn() -> T>,
}

/// Waits for the result of a child. Made by [`ChildRun::result`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct ChildResult<'a, T> {
    drive: Drive,
    id: RunId,
    key: RunKey,
    waiting: Option<BoxFuture<'static, Outcome>>,
    output: Lent<'a, T>,
}

/// The plan of a child run.
struct ChildPlan {
    plan: Plan,
    code: ChildCode,
}

/// How the caller knows the workflow of a child.
#[derive(Clone, Copy)]
enum ChildCode {
    /// By its type. Contains how a detached context executes it inline.
    Typed(fn(&RunCore, &Json) -> BoxFuture<'static, Outcome>),
    /// By its name. Another executor may have it.
    Named,
}

impl ChildPlan {
    fn new<W: Workflow>(input: &W::Input) -> ChildPlan {
        let detached = |core: &RunCore, input: &Json| -> BoxFuture<'static, Outcome> {
            let ctx = Ctx::detached_like(core);
            let input = input.clone();
            Box::pin(async move {
                let output = W::run(ctx, input.decode()?).await.map_err(Error::from_box)?;
                Json::encode(&output)
            })
        };
        let plan = Plan::new(W::NAME, Some(W::VERSION), encode("input", input));
        ChildPlan { plan, code: ChildCode::Typed(detached) }
    }

    fn named(workflow: &str, input: &impl Serialize) -> ChildPlan {
        ChildPlan { plan: Plan::new(workflow, None, encode("input", input)), code: ChildCode::Named }
    }

    fn options(&self) -> &RunOptions {
        self.plan.given()
    }

    /// Whether an existing run may be used as the child: one with the same id or the same dedup key.
    fn may_meet_another(&self) -> bool {
        self.options().id.is_some() || self.options().dedup.is_some()
    }

    /// Whether the child waits in a queue or for its delay, instead of starting in this process with its parent's next commit.
    fn waits(&self) -> bool {
        self.options().queue.is_some() || self.options().delay.is_some()
    }

    /// The run of this plan, as a child of the run that makes the call.
    fn run(&self, drive: &Drive) -> Result<NewRun, Error> {
        let core = &drive.core;
        let Home::Executor { executor, journal } = &core.home else {
            return Err(Error::new(Code::Invalid, "internal error: a detached context cannot create a child run"));
        };
        let mut plan = self.plan.clone();
        let options = &mut plan.options.given;
        // A child never outlives its parent's deadline.
        options.deadline = options.deadline.into_iter().chain(core.about.deadline).min();
        if let Some(parent) = &core.about.identity {
            let own = options.identity.take().unwrap_or_default();
            options.identity = Some(own.inherited_from(parent)).filter(|identity| !identity.is_empty());
        }
        if !self.waits() && plan.given().version.is_none() {
            plan.options.given.version = executor.registry.newest(&plan.workflow);
        }
        let mut checked = plan.checked(&executor.store, None)?;
        checked.id.get_or_insert_with(|| RunId::of_child(&core.about.id, core.about.key, drive.position));
        // A child that is known by its name waits until an executor that has its workflow claims it.
        let begins = !self.waits() && executor.registry.has(&checked.workflow, &checked.version);
        let owner = begins.then(|| journal.executor());
        Ok(NewRun { parent: Some((core.about.key, drive.position)), ..checked.run(core.clock(), owner) })
    }
}

/// Adds the creation of a child to the changes of its parent.
fn create(drive: &Drive, run: NewRun) {
    let core = &drive.core;
    let Home::Executor { executor, journal } = &core.home else { return };
    if run.executor.is_some() {
        let home = Home::Executor { executor: executor.clone(), journal: journal.clone() };
        core.expect_child(RunCore::fresh(&run, home, None), drive.position);
    }
    core.with_state(|state| state.push(Change::Create(Box::new(run))));
}

/// Halts the run if this executor cannot execute the child, although the code has its type: an error that is recorded instead
/// would stay for ever.
fn check_registered(drive: &Drive, child: &ChildPlan) -> bool {
    let may_wait = child.waits() || matches!(child.code, ChildCode::Named);
    let Some(executor) = drive.core.executor().filter(|_| !may_wait) else { return true };
    let (workflow, version) = (&child.plan.workflow, child.options().version.as_deref().unwrap_or_default());
    let known = executor.registry.has(workflow, version);
    if !known {
        drive.core.halt(executor.not_registered(workflow, version));
    }
    known
}

/// The creation of a child. If the child may exist already, the call waits for the answer of the database.
enum Creation {
    New,
    /// After a crash the child may exist although the record of its creation was lost.
    Looking(BoxFuture<'static, Option<Stray>>),
    Asked(oneshot::Receiver<Created>, Box<NewRun>),
    /// An open run of the queue has the same dedup key.
    Met(BoxFuture<'static, Result<(RunId, RunKey), Error>>),
}

impl Creation {
    fn poll(&mut self, cx: &mut Context<'_>, drive: &Drive, plan: &ChildPlan) -> Poll<Result<(RunId, RunKey), Error>> {
        let core = &drive.core;
        if let Creation::New = self
            && plan.options().id.is_none()
            && core.was_claimed
        {
            *self = Creation::Looking(stray(core, drive.position));
        }
        if let Creation::Looking(looking) = self {
            let found = std::task::ready!(looking.as_mut().poll(cx));
            if let Some(stray) = found {
                return use_existing(drive, plan, stray);
            }
            return self.ask(cx, drive, plan);
        }
        if let Creation::New = self {
            return self.ask(cx, drive, plan);
        }
        self.answer(cx, drive, plan)
    }

    fn ask(&mut self, cx: &mut Context<'_>, drive: &Drive, plan: &ChildPlan) -> Poll<Result<(RunId, RunKey), Error>> {
        let run = match plan.run(drive) {
            Ok(run) => run,
            Err(error) => return Poll::Ready(Err(error)),
        };
        // While the run has had only this owner, no one else can have created its child.
        if !plan.may_meet_another() && !drive.core.was_claimed && run.executor.is_some() {
            let child = (run.id.clone(), run.key);
            create(drive, NewRun { must_be_new: true, ..run });
            return Poll::Ready(Ok(child));
        }
        let asked = drive.core.creations.answer_of(run.key);
        *self = Creation::Asked(asked, Box::new(run.clone()));
        create(drive, run);
        self.answer(cx, drive, plan)
    }

    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        drive: &Drive,
        plan: &ChildPlan,
    ) -> Poll<Result<(RunId, RunKey), Error>> {
        if let Creation::Met(met) = self {
            return match std::task::ready!(met.as_mut().poll(cx)) {
                // The run that had the key was deleted meanwhile, so the key may be free.
                Err(error) if error.is_unknown_run() => self.ask(cx, drive, plan),
                Err(error) if !matches!(error.kind(), Code::Deduplicated | Code::Conflict | Code::KeyReused) => {
                    drive.core.halt(error);
                    Poll::Pending
                }
                met => Poll::Ready(met),
            };
        }
        let Creation::Asked(asked, run) = self else { return Poll::Pending };
        match Pin::new(asked).poll(cx) {
            Poll::Ready(Ok(Created::New | Created::Waiting(_))) => Poll::Ready(Ok((run.id.clone(), run.key))),
            Poll::Ready(Ok(Created::Existing(existing))) if plan.options().id.is_none() => {
                match onward_store::is_stranger(&existing, (drive.core.about.key, drive.position)) {
                    None => Poll::Ready(Ok((existing.id, existing.key))),
                    Some(conflict) => {
                        drive.core.halt(conflict);
                        Poll::Pending
                    }
                }
            }
            Poll::Ready(Ok(Created::Existing(existing))) => {
                let same = same_run(&run.workflow, run.input_hash, &existing);
                let other = same.and_then(|()| not_itself(drive, existing.key));
                Poll::Ready(other.map(|()| (existing.id, existing.key)))
            }
            Poll::Ready(Ok(Created::Duplicate(holder))) => {
                let Some(executor) = drive.core.executor() else { return Poll::Pending };
                if let Err(itself) = not_itself(drive, holder.key) {
                    return Poll::Ready(Err(itself));
                }
                *self = Creation::Met(met(executor.clone(), plan, holder));
                self.answer(cx, drive, plan)
            }
            // The answer was lost together with the seat: this owner may decide nothing more about the run.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A run that waited for itself would wait for ever.
fn not_itself(drive: &Drive, child: RunKey) -> Result<(), Error> {
    if child != drive.core.about.key {
        return Ok(());
    }
    let message = format!(
        "run {:?} cannot be its own child: give the child another id, and another dedup key than its parent has",
        drive.core.about.id
    );
    Err(Taken::by(&drive.core.about.id).refused(Code::Conflict, message))
}

/// The run with the dedup key of the child: the call either uses it as the child or fails with an error that names it. Retried
/// while the database is unreachable, because that is not an answer.
fn met(
    executor: Arc<Executor>,
    child: &ChildPlan,
    holder: Existing,
) -> BoxFuture<'static, Result<(RunId, RunKey), Error>> {
    let (workflow, options) = (child.plan.workflow.clone(), child.options().clone());
    Box::pin(async move {
        // It was deleted before it could be read, so its key says nothing.
        if holder.key.0.is_nil() {
            return Err(Error::new(Code::UnknownRun, "the run that had the dedup key is deleted"));
        }
        until_answered(executor.store.clock(), || holder_of_dedup(&executor.store, &options, &workflow, &holder))
            .await
            .map(|id| (id, holder.key))
    })
}

/// A child that an earlier owner of the run created at this position without recording anything about it. Found by the position
/// that started it and not by its id, because another version of Onward may have made the id differently.
fn stray(core: &Arc<RunCore>, position: u32) -> BoxFuture<'static, Option<Stray>> {
    let Some(executor) = core.executor().cloned() else { return Box::pin(std::future::ready(None)) };
    let core = Arc::downgrade(core);
    Box::pin(async move {
        let of = |core: &RunCore| {
            core.creations.strays.get().map(|strays| strays.iter().find(|it| it.position == position).cloned())
        };
        let key = match core.upgrade() {
            Some(core) => match of(&core) {
                Some(found) => return found,
                None => core.about.key,
            },
            None => return std::future::pending().await,
        };
        // Read once. Children that this owner creates in the meantime have other positions.
        let found = until_answered(executor.store.clock(), || executor.store.stray_children(key)).await;
        let Some(core) = core.upgrade() else { return std::future::pending().await };
        match found {
            Ok(found) => drop(core.creations.strays.set(found.into())),
            Err(error) => {
                core.halt(error);
                core.task.wake();
                return std::future::pending().await;
            }
        }
        of(&core).flatten()
    })
}

/// Uses a child that was created before instead of creating one.
fn use_existing(drive: &Drive, plan: &ChildPlan, stray: Stray) -> Poll<Result<(RunId, RunKey), Error>> {
    let Stray { key, id, workflow, position } = stray;
    if workflow == plan.plan.workflow {
        return Poll::Ready(Ok((id, key)));
    }
    let message = format!(
        "at position {position} the run started child `{id}` of workflow `{workflow}`, but the code now starts workflow `{}`. \
         Restore the old call, or delete that child once it has ended; then resume the run",
        plan.plan.workflow
    );
    drive.core.halt(Error::new(Code::Diverged, message).with_data(&HeldAt::new(position)));
    Poll::Pending
}

struct ChildCall {
    drive: Drive,
    plan: ChildPlan,
    creation: Creation,
    waiting: Option<BoxFuture<'static, Outcome>>,
}

impl ChildCall {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ChildCall { drive, plan, creation, waiting } = self;
        drive.poll(cx, |drive, cx| {
            if waiting.is_none() {
                *waiting = Some(match begin(cx, drive, plan, creation) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(waiting)) => waiting,
                });
            }
            waiting.as_mut().map_or(Poll::Pending, |waiting| waiting.as_mut().poll(cx))
        })
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

/// Waits for the end of a run and records its result in this run: the child may be deleted before its parent is replayed.
fn wait_for(drive: &Drive, key: RunKey) -> BoxFuture<'static, Outcome> {
    drive.core.with_state(|state| state.set_idle(drive.position, Idle::Until(None)));
    let Some(executor) = drive.core.executor().cloned() else { return Box::pin(std::future::pending()) };
    let made = drive.core.with_state(|state| state.made());
    let core = Arc::downgrade(&drive.core);
    let call = Awaiting { name: drive.name.clone(), position: drive.position };
    let mut key = key;
    Box::pin(async move {
        // Until its creation is committed, the child is not in the database.
        let durable = std::future::poll_fn(|cx| match core.upgrade() {
            Some(core) if core.is_durable(made, cx.waker()) => Poll::Ready(()),
            _ => Poll::Pending,
        });
        durable.await;
        let clock = executor.store.clock();
        let held = loop {
            match until_answered(clock, || executor.waiters.wait(key, Some(&executor.residents), Until::Ended)).await {
                // If this error were recorded, it would be the result of the child for ever.
                Ok(outcome) if outcome.unreadable.is_some() => {
                    break outcome.unreadable.clone().unwrap_or_else(|| missing(&call, key));
                }
                Ok(outcome) => match &outcome.cancelled_with {
                    Some(root) => break cancelled_with(&call, root),
                    None => return result_of(&outcome),
                },
                Err(error) if error.is_unknown_run() => {
                    match until_answered(clock, || executor.store.arrived_as(key)).await {
                        Ok(None) => break missing(&call, key),
                        Ok(Some(here)) => {
                            let Some(core) = core.upgrade() else { return std::future::pending().await };
                            wait_for_another(&core, &call, here);
                            key = here;
                        }
                        Err(error) => break error,
                    }
                }
                Err(error) => break error,
            }
        };
        if let Some(core) = core.upgrade() {
            core.halt(held);
            core.task.wake();
        }
        std::future::pending().await
    })
}

/// The awaited run was imported into this database and has another key here: wait for that key.
fn wait_for_another(core: &RunCore, Awaiting { name, position }: &Awaiting, here: RunKey) {
    let now = core.clock().now();
    core.with_state(|state| {
        state.close_wait(*position);
        state.open_wait(*position, name, WaitKind::Child(here), now);
    });
    core.task.wake();
}

/// The call that waits for a child, as errors name it.
struct Awaiting {
    name: Arc<str>,
    position: u32,
}

/// The child is not in the database: it was not imported with its parent, or its rows were deleted. That is not a result.
fn missing(Awaiting { name, position }: &Awaiting, key: RunKey) -> Error {
    let message = format!(
        "child `{name}` (key {key}), which the call at position {position} waits for, is not in this database. Import its file \
         and resume this run, or fork this run from the position that started the child to start another one"
    );
    Error::new(Code::Held, message)
}

/// A child that was cancelled together with another run has not ended: it continues when that run is resumed.
fn cancelled_with(Awaiting { name, position }: &Awaiting, root: &RunId) -> Error {
    let message = format!(
        "child `{name}`, which the call at position {position} waits for, was cancelled together with run `{root}`, so it has \
         no result. Resume run `{root}` or the child, then resume this run"
    );
    Error::new(Code::Held, message)
}

struct StartChildCall {
    drive: Drive,
    plan: ChildPlan,
    creation: Creation,
}

impl StartChildCall {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let StartChildCall { drive, plan, creation } = self;
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
                Json::encode(&ChildRun::<()> { id, key, output: PhantomData })
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
        let call = ChildCall { drive, plan: ChildPlan::new::<W>(input), creation: Creation::New, waiting: None };
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
        Child { call: ChildCall { drive, plan, creation: Creation::New, waiting: None }, output: PhantomData }
    }
}

impl<'a> StartChild<'a, serde_json::Value> {
    pub(crate) fn named(ctx: &'a Ctx, workflow: &str, input: &impl Serialize) -> StartChild<'a, serde_json::Value> {
        let drive = Drive::new(ctx, StepKind::Start, workflow);
        let plan = ChildPlan::named(workflow, input);
        StartChild { call: StartChildCall { drive, plan, creation: Creation::New }, output: PhantomData }
    }
}

impl<'a, T: Data> StartChild<'a, T> {
    pub(crate) fn new<W: Workflow<Output = T>>(ctx: &'a Ctx, input: &W::Input) -> StartChild<'a, T> {
        let drive = Drive::new(ctx, StepKind::Start, W::NAME);
        StartChild {
            call: StartChildCall { drive, plan: ChildPlan::new::<W>(input), creation: Creation::New },
            output: PhantomData,
        }
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
        super::unread::resolve(self.drive(), outcome)
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
        ChildResult { drive, id: self.id.clone(), key: self.key, waiting: None, output: PhantomData }
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
        let ChildResult { drive, id, key, waiting, .. } = self;
        drive.poll(cx, |drive, cx| {
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
        })
    }

    fn drive(&mut self) -> Option<&mut Drive> {
        Some(&mut self.drive)
    }
}

durable_call!(ChildResult<'_, T> => poll_call);
