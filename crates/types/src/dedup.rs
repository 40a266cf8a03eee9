//! What a caller learns who was refused because an open run holds the dedup key.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, RunId, Status};

/// The open run that holds the dedup key requested for another run of the queue. The data of an error with
/// [`Code::Deduplicated`]: `error.downcast::<Deduplicated>()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deduplicated {
    /// The queue.
    pub queue: String,
    /// The dedup key.
    pub dedup: String,
    /// The run that holds it.
    pub run: RunId,
    /// The state of that run.
    pub status: Status,
    /// Why it is in that state, which shows whether it will end by itself.
    pub reason: String,
}

impl Deduplicated {
    /// Makes the error for the caller. `instead` says what the caller can do instead.
    #[must_use]
    pub fn refused(self, instead: &str) -> Error {
        Error::new(Code::Deduplicated, format!("{self}. {instead}")).with_data(&self)
    }
}

impl fmt::Display for Deduplicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deduplicated { queue, dedup, run, status, reason } = self;
        write!(
            f,
            "queue `{queue}` already has an open run with the dedup key `{dedup}`: run {run:?}, which is {status} ({reason})"
        )
    }
}

impl std::error::Error for Deduplicated {}
