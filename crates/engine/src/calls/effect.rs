//! What a call does to the database outside the journal: it begins when every earlier change of its run is durable, as the
//! body of a step does, and is done again after a crash, so it has to know itself again.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use onward_types::{Code, Error};

use super::Drive;
use super::step::may_begin;
use crate::run::core::RunCore;
use crate::run::state::Outcome;
use crate::workflow::BoxFuture;

/// The pause before an effect is tried again.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(crate) enum Effect {
    #[default]
    New,
    /// Waits until every change up to this one is durable.
    Barrier(u64),
    Running(BoxFuture<'static, Outcome>),
    /// It was done, and its outcome handed over.
    Done,
}

impl Effect {
    /// Whether it was begun, and may have reached the database.
    pub(crate) fn is_begun(&self) -> bool {
        matches!(self, Effect::Running(_) | Effect::Done)
    }

    /// What is being done, for somebody else to bring to its end.
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
                Effect::New => *self = Effect::Barrier(core.state().made()),
                Effect::Barrier(upto) => {
                    if !may_begin(core, cx) || !core.is_durable(*upto, cx.waker()) {
                        return Poll::Pending;
                    }
                    core.state().set_works(drive.position, true);
                    *self = Effect::Running(begin(core));
                }
                Effect::Running(doing) => {
                    let outcome = ready!(doing.as_mut().poll(cx));
                    core.state().set_works(drive.position, false);
                    *self = Effect::Done;
                    return Poll::Ready(outcome);
                }
                // Its outcome waits for its turn.
                Effect::Done => return Poll::Pending,
            }
        }
    }
}

/// Do it until the database answers. What is wrong with the asking is an answer; trouble with the database is none.
pub(crate) async fn until_answered<T, F: Future<Output = Result<T, Error>>>(
    clock: &onward_store::Clock,
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    loop {
        match attempt().await {
            Err(error) if !is_answer(&error) => {
                tracing::debug!(%error, "an effect of a run has to be tried again");
                clock.sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

fn is_answer(error: &Error) -> bool {
    matches!(error.kind(), Code::UnknownRun | Code::Conflict | Code::Invalid | Code::Encode)
}
