//! Limits on how long the client waits for an answer.
//!
//! The server limits its statements, and TCP detects a peer that is gone. Neither helps against a peer that is there but does
//! not answer: a pooler that lost its server, or a stopped backend. So every round trip has a limit on the client's side as
//! well; a session that exceeds it is closed and replaced.

use std::time::Duration;

use onward_types::Code;

use crate::fault::{Cure, Fault};

/// The limit for a statement outside the journal; the server's own limit is shorter.
pub(super) const STATEMENT: Duration = Duration::from_secs(35);
/// The limit for a user statement; the server's own limit is shorter.
pub(super) const OF_USERS: Duration = Duration::from_secs(65);
/// The limit for opening a session that takes the fence: it may have to wait for the previous session to end.
pub(super) const TAKE_OVER: Duration = Duration::from_secs(35);
/// A session that was unused for this long is checked before it is handed out.
pub(super) const IDLE: Duration = Duration::from_secs(5);
/// The limit for the answer to that check.
pub(super) const IS_THERE: Duration = Duration::from_secs(2);

/// The limit for a batch of this many bytes. It doubles with each consecutive batch that exceeded its limit (`passed`), since the
/// database may be slow.
pub(super) fn of_batch(bytes: usize, passed: u32) -> Duration {
    let megabytes = u32::try_from(bytes / (1024 * 1024)).unwrap_or(u32::MAX);
    (Duration::from_secs(10) + Duration::from_secs(1) * megabytes) * 2u32.pow(passed.min(4))
}

/// Wait for an answer, up to the limit.
pub(super) async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match crate::real_time::timeout(limit, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(silent(limit)),
    }
}

/// It is unknown whether the statement took effect.
fn silent(limit: Duration) -> Fault {
    let message = format!("PostgreSQL has not answered for {limit:?}; its session is being replaced");
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
