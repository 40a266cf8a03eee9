//! What a call does to the database outside the journal. Like the body of a step, it begins when every earlier change of its
//! run is durable, and it is repeated after a crash, so it must be idempotent.

use std::task::{Context, Poll, ready};

use onward_types::{Code, Error};

use super::Drive;
use super::step::may_begin;
use crate::executor::run::core::RunCore;
use crate::executor::run::state::Outcome;
use crate::future::BoxFuture;

#[derive(Default)]
pub(crate) enum Effect {
    #[default]
    New,
    /// Waits until every change up to this one is durable.
    Barrier(u64),
    Running(BoxFuture<'static, Outcome>),
    /// It was done, and its outcome was returned.
    Done,
}

impl Effect {
    /// Whether it has begun and may have reached the database.
    pub(crate) fn is_begun(&self) -> bool {
        matches!(self, Effect::Running(_) | Effect::Done)
    }

    /// The future in progress, for another task to finish.
    pub(crate) fn take(&mut self) -> Option<BoxFuture<'static, Outcome>> {
        match std::mem::take(self) {
            Effect::Running(doing) => Some(doing),
            Effect::New | Effect::Barrier(_) | Effect::Done => None,
        }
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        drive: &Drive,
        begin: impl Fn(&RunCore) -> BoxFuture<'static, Outcome>,
    ) -> Poll<Outcome> {
        let core = &drive.core;
        loop {
            match self {
                Effect::New => *self = Effect::Barrier(core.with_state(|state| state.made())),
                Effect::Barrier(upto) => {
                    if !may_begin(core, cx) || !core.is_durable(*upto, cx.waker()) {
                        return Poll::Pending;
                    }
                    core.with_state(|state| state.set_works(drive.position, true));
                    *self = Effect::Running(begin(core));
                }
                Effect::Running(doing) => {
                    let outcome = ready!(doing.as_mut().poll(cx));
                    core.with_state(|state| state.set_works(drive.position, false));
                    *self = Effect::Done;
                    if let Err(error) = &outcome
                        && !is_answer(error)
                    {
                        core.halt(no_outcome(drive, error));
                        return Poll::Pending;
                    }
                    return Poll::Ready(outcome);
                }
                // The outcome waits for its turn to be delivered.
                Effect::Done => return Poll::Pending,
            }
        }
    }
}

/// A rejected request, which is recorded as the outcome of the call.
pub(super) fn is_answer(error: &Error) -> bool {
    matches!(error.kind(), Code::UnknownRun | Code::TokenTaken | Code::Invalid)
}

/// For errors that are neither an answer nor temporary: a codec that cannot encode, a row that cannot be read. People have to
/// fix them, so the run is held.
fn no_outcome(drive: &Drive, error: &Error) -> Error {
    let Drive { position, kind, name, .. } = drive;
    Error::new(error.kind(), format!("at position {position}, {kind} `{name}`: {error}. Fix that, then resume the run"))
}
