//! Asking again where an answer was lost.

use std::time::Duration;

use onward::Error;

/// Whether the database was away, and the same may be asked again.
pub(crate) fn is_lost(error: &Error) -> bool {
    matches!(error.code(), "database" | "busy")
}

/// Ask until there is an answer.
pub(crate) async fn insist<T, F>(ask: impl Fn() -> F) -> Result<T, Error>
where
    F: IntoFuture<Output = Result<T, Error>>,
{
    loop {
        match ask().await {
            Err(error) if is_lost(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
            answer => return answer,
        }
    }
}
