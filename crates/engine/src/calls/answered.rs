//! Retries a request to the database until it answers. A lost connection is not an answer, and never the outcome of a call.

use std::time::Duration;

use onward_store::Clock;
use onward_types::{Code, Error};

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Retries until the database answers. A rejected request is an answer; a lost connection is not.
pub(crate) async fn until_answered<T, F: Future<Output = Result<T, Error>>>(
    clock: &Clock,
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    loop {
        match attempt().await {
            Err(error) if is_trouble(&error) => {
                let error = error.message();
                tracing::debug!(target: "onward::database", error, "the database did not answer a call: trying again");
                clock.sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

/// A temporary failure of the database.
pub(crate) fn is_trouble(error: &Error) -> bool {
    matches!(error.kind(), Code::Database | Code::Busy | Code::Fenced | Code::Stopped | Code::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;
    use onward_types::Timestamp;

    use super::super::effect::is_answer;
    use super::*;

    /// Calls a database that fails with these codes, one after another, and then succeeds.
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
        panic!("still retrying")
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
        assert!(is_answer(&Error::new(Code::TokenTaken, "taken")));
    }
}
