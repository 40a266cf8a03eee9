//! Calls that act on runs in the database: `ctx.cancel`, `ctx.resume_hook`, `ctx.merge_attributes`.
//!
//! The action and the checkpoint of its call are one commit, beside the journal, as with a transactional step. So the action
//! happens exactly once, and its recorded result is what it did, not what a repeat after a crash would find.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use onward_store::{Checkpoint, HookPayload, InsideAction, InsideResult, Owner};
use onward_types::{Attribution, Error, Json, RunId, Status, Steered, StepKind, check_name};
use serde::Serialize;

use super::answered::until_answered;
use super::step::may_begin;
use super::{Drive, Lent};
use crate::executor::run::core::{Home, RunCore};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Granted, Outcome};
use crate::future::BoxFuture;

/// A call that acts on runs.
pub(crate) struct Act {
    pub(super) drive: Drive,
    action: Result<InsideAction, Error>,
    stage: Stage,
}

enum Stage {
    New,
    /// Waits for its turn, and until every earlier change is durable.
    Turn,
    Running(BoxFuture<'static, Acted>),
    Done,
}

/// What came of the action; an error has to be repaired by people.
type Acted = Result<InsideResult, Error>;

impl Act {
    fn new(ctx: &Ctx, kind: StepKind, name: &str, action: Result<InsideAction, Error>) -> Act {
        Act { drive: Drive::new(ctx, kind, name), action, stage: Stage::New }
    }

    pub(crate) fn resume_hook(ctx: &Ctx, token: &str, payload: &(impl Serialize + ?Sized)) -> Act {
        let payload = check_name("token of a hook", token)
            .and_then(|()| crate::data::encode("payload", payload))
            .map(|body| HookPayload { token: token.to_owned(), body, key: None });
        Act::new(ctx, StepKind::ResumeHook, "resume_hook", payload.map(InsideAction::ResumeHook))
    }

    pub(crate) fn merge_attributes(ctx: &Ctx, attributes: &(impl Serialize + ?Sized)) -> Act {
        let attributes = crate::plan::encode_attributes(attributes);
        Act::new(ctx, StepKind::Attributes, "attributes", attributes.map(InsideAction::MergeAttributes))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Act { drive, action, stage } = self;
        drive.poll(cx, |drive, cx| match action {
            Err(error) => Poll::Ready(Err(error.clone())),
            Ok(action) if drive.core.is_detached() => Poll::Ready(pretended(action, &drive.core)),
            Ok(action) => stage.poll(cx, drive, action),
        })
    }
}

impl Drop for Act {
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Turn | Stage::Running(_)) {
            self.drive.core.with_state(|state| state.give_back_turn(self.drive.position));
        }
    }
}

impl Stage {
    fn poll(&mut self, cx: &mut Context<'_>, drive: &Drive, action: &InsideAction) -> Poll<Outcome> {
        let Drive { core, position, .. } = drive;
        loop {
            match self {
                Stage::New => {
                    core.with_state(|state| state.ask_turn(*position, core.clock().now()));
                    *self = Stage::Turn;
                }
                Stage::Turn => {
                    let Some(granted) = core.with_state(|state| state.turn_of(*position)) else { return Poll::Pending };
                    if !may_begin(core, cx) || !core.is_durable(granted.upto, cx.waker()) {
                        return Poll::Pending;
                    }
                    core.with_state(|state| state.begin_commit(*position));
                    *self = Stage::Running(act(drive, granted, action.clone()));
                }
                Stage::Running(acting) => {
                    let acted = ready!(acting.as_mut().poll(cx));
                    *self = Stage::Done;
                    return resolve(drive, acted);
                }
                // The result waits for its delivery, or the run for its end.
                Stage::Done => return Poll::Pending,
            }
        }
    }
}

fn act(drive: &Drive, granted: Granted, action: InsideAction) -> BoxFuture<'static, Acted> {
    let Home::Executor { executor, journal } = &drive.core.home else { return Box::pin(std::future::pending()) };
    let Granted { seq, started_at, .. } = granted;
    let about = &drive.core.about;
    let owner = Owner { executor: journal.executor().clone(), run: about.key, owners: about.owners };
    let checkpoint = Checkpoint {
        position: drive.position,
        seq,
        kind: drive.kind,
        name: drive.name.clone(),
        result: Ok(Json::null()),
        notes: None,
        started_at,
        finished_at: drive.core.clock().now(),
    };
    let executor = executor.clone();
    Box::pin(async move {
        let store = &executor.store;
        until_answered(store.clock(), || store.act_inside(owner.clone(), checkpoint.clone(), action.clone())).await
    })
}

fn resolve(drive: &Drive, acted: Acted) -> Poll<Outcome> {
    let Drive { core, position, kind, name, .. } = drive;
    match acted {
        Ok(InsideResult::Recorded(recorded)) => {
            core.with_state(|state| state.note_committed(*position));
            match recorded {
                Ok(output) => Poll::Ready(Ok(output)),
                // What the workflow sees now is exactly what it will see on replay.
                Err(error) => Poll::Ready(Err(Error::from_json(&error).unwrap_or_else(|why| why))),
            }
        }
        Ok(InsideResult::Revoked) => {
            if let Some(executor) = core.executor() {
                executor.refused(core);
            }
            // The run is dropped, and this call with it.
            Poll::Pending
        }
        Err(error) => {
            let message = format!("at position {position}, {kind} `{name}`: {error}. Fix that, then resume the run");
            core.halt(Error::new(error.kind(), message));
            Poll::Pending
        }
    }
}

/// The result in a detached context, where nothing is done.
fn pretended(action: &InsideAction, core: &RunCore) -> Outcome {
    match action {
        InsideAction::Cancel { .. } => Json::encode(&Steered::new(Status::Running, 1)),
        InsideAction::ResumeHook(_) => Json::encode(&core.about.id),
        InsideAction::MergeAttributes(_) => Ok(Json::null()),
    }
}

/// The cancellation of a run by a workflow. Made by [`Ctx::cancel`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct CancelRun<'a> {
    act: Act,
    lent: Lent<'a, Steered>,
}

impl CancelRun<'_> {
    pub(crate) fn new(ctx: &Ctx, run: &str) -> Self {
        let who = Attribution::run(&ctx.core.about.id);
        let action = RunId::new(run).map(|run| InsideAction::Cancel { run, who });
        let name = if action.is_ok() { run } else { "cancel" };
        CancelRun { act: Act::new(ctx, StepKind::Cancel, name, action), lent: PhantomData }
    }

    /// Why the run is cancelled: one line of at most 2,048 bytes. The reason of its state then says it, and which run cancelled it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        if let Ok(InsideAction::Cancel { who, .. }) = &mut self.act.action {
            who.reason = Some(reason.into());
            if let Err(refused) = who.check() {
                self.act.action = Err(refused);
            }
        }
        self
    }
}

impl Unpin for CancelRun<'_> {}

impl Future for CancelRun<'_> {
    type Output = Result<Steered, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.act.poll(cx));
        super::unread::resolve(Some(&mut self.act.drive), outcome)
    }
}

impl super::select::DurableCall for CancelRun<'_> {
    type Output = Steered;
}
