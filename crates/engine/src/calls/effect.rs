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
                    if let Err(error) = &outcome
                        && !is_answer(error)
                    {
                        core.state().halt(no_outcome(drive, error));
                        return Poll::Pending;
                    }
                    return Poll::Ready(outcome);
                }
                // Its outcome waits for its turn.
                Effect::Done => return Poll::Pending,
            }
        }
    }
}

/// Try until the database answers. A rejected request is an answer; a lost connection is not.
pub(crate) async fn until_answered<T, F: Future<Output = Result<T, Error>>>(
    clock: &onward_store::Clock,
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    loop {
        match attempt().await {
            Err(error) if is_trouble(&error) => {
                tracing::debug!(%error, "an effect of a run has to be tried again");
                clock.sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

/// What is wrong with the request itself, and is recorded as its outcome.
fn is_answer(error: &Error) -> bool {
    matches!(error.kind(), Code::UnknownRun | Code::Conflict | Code::Invalid)
}

/// Trouble with the database, which passes.
pub(crate) fn is_trouble(error: &Error) -> bool {
    matches!(error.kind(), Code::Database | Code::Busy | Code::Fenced | Code::Stopped | Code::TimedOut)
}

/// Neither: a codec that cannot encode, a row that cannot be understood. People have to mend that, so the run is held.
fn no_outcome(drive: &Drive, error: &Error) -> Error {
    let Drive { position, kind, name, .. } = drive;
    Error::new(
        error.kind(),
        format!("at position {position}, {kind} `{name}`: {error}. Mend that, then resume the run"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;
    use onward_store::Clock;
    use onward_types::Timestamp;

    use super::*;

    /// Asks a database that answers like this, and at last well.
    async fn asks(answers: &[Code]) -> (Result<u32, Error>, u32) {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let asked = AtomicU32::new(0);
        let attempt = || async {
            let nth = asked.fetch_add(1, Ordering::SeqCst);
            answers.get(nth as usize).map_or(Ok(nth), |code| Err(Error::new(*code, "no")))
        };
        let mut asking = Box::pin(until_answered(&clock, attempt));
        for _ in 0..=answers.len() {
            if let Some(answer) = (&mut asking).now_or_never() {
                drop(asking);
                return (answer, asked.into_inner());
            }
            clock.advance(PAUSE);
        }
        panic!("it goes on asking")
    }

    #[tokio::test]
    async fn trouble_with_the_database_is_no_outcome() {
        let trouble = [Code::Database, Code::Busy, Code::Fenced, Code::Stopped, Code::TimedOut];
        let (answer, asked) = asks(&trouble).await;
        assert_eq!((answer.unwrap(), asked), (5, 6));
    }

    #[tokio::test]
    async fn every_code_is_trouble_or_an_answer_or_holds_the_run() {
        for code in Code::ALL {
            let error = Error::new(*code, "no");
            assert!(!(is_trouble(&error) && is_answer(&error)), "{code}");
            if !is_trouble(&error) {
                assert_eq!(asks(&[*code]).await.1, 1, "{code}");
            }
        }
        for code in [Code::Encode, Code::Decode, Code::Corrupt, Code::Schema, Code::Unknown] {
            assert!(!is_answer(&Error::new(code, "no")), "{code}");
        }
        assert!(is_answer(&Error::new(Code::Conflict, "taken")));
    }
}
