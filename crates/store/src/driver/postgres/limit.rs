//! How long the client waits for an answer.
//!
//! The server limits its statements, and TCP notices a peer that is gone. Neither helps where the peer is there and does not
//! answer: a pooler that lost its server, a backend that was stopped. So every round trip has a limit on this side, too; a session
//! that passes it is closed, and another one takes its place.

use std::time::Duration;

use onward_types::Code;

use crate::fault::{Cure, Fault};

/// For a statement outside the journal: the server ends it before.
pub(super) const STATEMENT: Duration = Duration::from_secs(35);
/// For a statement of a user: the server ends it before.
pub(super) const OF_USERS: Duration = Duration::from_secs(65);
/// For a session to be opened that takes the fence: it may wait for the one before to end.
pub(super) const TAKE_OVER: Duration = Duration::from_secs(35);
/// A session that was not used for so long is asked whether it is there before somebody gets it.
pub(super) const IDLE: Duration = Duration::from_secs(5);
/// For that answer.
pub(super) const IS_THERE: Duration = Duration::from_secs(2);

/// For a batch of so many bytes. A slow database is given twice the time after each batch that passed it.
pub(super) fn of_batch(bytes: usize, passed: u32) -> Duration {
    let megabytes = u32::try_from(bytes / (1024 * 1024)).unwrap_or(u32::MAX);
    (Duration::from_secs(10) + Duration::from_secs(1) * megabytes) * 2u32.pow(passed.min(4))
}

/// Wait for an answer, but not for longer than that.
pub(super) async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match crate::real_time::timeout(limit, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(silent(limit)),
    }
}

/// What was sent may have been done or not.
fn silent(limit: Duration) -> Fault {
    let message = format!("PostgreSQL has not answered for {limit:?}; its session is replaced by another one");
    Fault::new(Cure::Reopen, Code::Busy, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_batch_has_more_time_and_a_slow_database_twice_as_much_each_time() {
        let (small, large) = (of_batch(1_000, 0), of_batch(8 * 1024 * 1024, 0));
        assert_eq!((small, large), (Duration::from_secs(10), Duration::from_secs(18)));
        assert_eq!((of_batch(1_000, 1), of_batch(1_000, 2)), (2 * small, 4 * small));
        assert_eq!(of_batch(1_000, 50), of_batch(1_000, 4), "up to a limit");
    }
}
