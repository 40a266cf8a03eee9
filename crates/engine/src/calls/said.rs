//! Calls that only publish something: an event, a chunk of a stream.
//!
//! From the workflow, the call is a change like any other: it is recorded immediately and not repeated on replay. From the body
//! of a step it is not recorded, because the body runs again after a crash and publishes again.

use std::sync::Arc;
use std::task::{Context, Poll};

use onward_types::{Code, Error, Json, StepKind};

use super::Drive;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Made, Outcome};
use crate::executor::run::tails::Said;
use crate::scope::{self, InStep};

pub(crate) enum Say {
    /// In the workflow.
    Call(Drive, Result<Said, Error>),
    /// In the body of a step.
    Body { core: Arc<RunCore>, step: InStep, said: Option<Result<Said, Error>> },
}

impl Say {
    pub(crate) fn new(ctx: &Ctx, kind: StepKind, name: &str, said: Result<Said, Error>) -> Say {
        match scope::step() {
            Some(step) if step.kind == StepKind::Transaction => {
                Say::Body { core: ctx.core.clone(), said: Some(Err(in_transaction(kind, name, &step.name))), step }
            }
            Some(step) => Say::Body { core: ctx.core.clone(), step, said: Some(said) },
            None => Say::Call(Drive::new(ctx, kind, name), said),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self {
            Say::Call(drive, Ok(said)) => drive.poll_immediate(cx, said.size(), |_| Made::Said(said.clone())),
            Say::Call(drive, Err(error)) => drive.poll(cx, |_, _| Poll::Ready(Err(error.clone()))),
            Say::Body { core, step, said } => {
                if let Some(said) = said.take() {
                    say(core, step, said?)?;
                }
                // A body that publishes faster than the database commits has to wait.
                let due = core.with_state(|state| state.due());
                match core.is_durable(due, cx.waker()) {
                    true => Poll::Ready(Ok(Json::null())),
                    false => Poll::Pending,
                }
            }
        }
    }
}

/// Refused in transactions: the event would be committed even if the transaction is rolled back. On SQLite, where nothing else
/// is written during a transaction, it could be lost even if the transaction is committed.
fn in_transaction(kind: StepKind, name: &str, outer: &str) -> Error {
    let message = format!(
        "{kind} `{name}` was called in the body of the transaction `{outer}`, which may be rolled back: call it before or after \
         the transaction"
    );
    Error::new(Code::Nested, message)
}

fn say(core: &RunCore, step: &InStep, said: Said) -> Result<(), Error> {
    if core.is_detached() {
        return Ok(());
    }
    if let Said::Chunk { .. } = said {
        // The attempt is announced with its first chunk, so that the next attempt after a crash gets another number.
        step.told.note_stream();
    }
    let now = core.clock().now();
    core.with_state(|state| state.say(step.position, step.attempt, said, now))
}
