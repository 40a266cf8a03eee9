//! Creates a child, or finds the one that was created before.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use onward_store::{Change, Created, Existing, NewRun, Stray};
use onward_types::{Code, Error, HeldAt, Json, ParentEnd, RunId, RunKey, RunOptions, Taken};
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::Drive;
use super::super::answered::until_answered;
use crate::data::encode;
use crate::executor::Executor;
use crate::executor::run::core::{Home, RunCore};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;
use crate::future::BoxFuture;
use crate::plan::{Plan, holder_of_dedup, same_run};
use crate::workflow::Workflow;

/// The plan of a child run.
pub(super) struct ChildPlan {
    pub(super) plan: Plan,
    pub(super) code: ChildCode,
}

/// How the caller knows the workflow of a child.
#[derive(Clone, Copy)]
pub(super) enum ChildCode {
    /// By its type. Contains how a detached context executes it inline.
    Typed(fn(&RunCore, &Json) -> BoxFuture<'static, Outcome>),
    /// By its name. Another executor may have it.
    Named,
}

impl ChildPlan {
    pub(super) fn new<W: Workflow>(input: &W::Input) -> ChildPlan {
        let detached = |core: &RunCore, input: &Json| -> BoxFuture<'static, Outcome> {
            let ctx = Ctx::detached_like(core);
            let input = input.clone();
            Box::pin(async move {
                match W::run(ctx, input.decode()?).await {
                    Ok(output) => Json::encode(&output),
                    Err(error) => Err(W::ERRORS.record(error)?),
                }
            })
        };
        let plan = Plan::new(W::NAME, Some(W::VERSION), encode("input", input));
        ChildPlan { plan, code: ChildCode::Typed(detached) }
    }

    pub(super) fn named(workflow: &str, input: &impl Serialize) -> ChildPlan {
        ChildPlan { plan: Plan::new(workflow, None, encode("input", input)), code: ChildCode::Named }
    }

    fn options(&self) -> &RunOptions {
        self.plan.given()
    }

    /// Notes in the run what becomes of this child at its end.
    pub(super) fn note_end(&self, drive: &Drive) {
        if let Some(end) = self.options().on_parent_end {
            drive.core.with_state(|state| state.note_child(end));
        }
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
        // A child never outlives its parent's deadline, unless it is to go on without its parent.
        if options.on_parent_end != Some(ParentEnd::Leave) {
            options.deadline = options.deadline.into_iter().chain(core.about.deadline).min();
        }
        if let Some(parent) = &core.about.identity {
            let own = options.identity.take().unwrap_or_default();
            options.identity = Some(own.inherited_from(parent)).filter(|identity| !identity.is_empty());
        }
        if !self.waits() && plan.given().version.is_none() {
            plan.options.given.version = executor.registry.newest(&plan.workflow);
        }
        let mut checked = plan.checked_as_child(&executor.store, None)?;
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
pub(super) fn check_registered(drive: &Drive, child: &ChildPlan) -> bool {
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
pub(super) enum Creation {
    New,
    /// After a crash the child may exist although the record of its creation was lost.
    Looking(BoxFuture<'static, Option<Stray>>),
    Asked(oneshot::Receiver<Created>, Box<NewRun>),
    /// An open run of the queue has the same dedup key.
    Met(BoxFuture<'static, Result<(RunId, RunKey), Error>>),
}

impl Creation {
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        drive: &Drive,
        plan: &ChildPlan,
    ) -> Poll<Result<(RunId, RunKey), Error>> {
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
