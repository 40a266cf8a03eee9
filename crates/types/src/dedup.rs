//! Who holds a dedup: what a person needs to know who was refused because of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, RunId, Status};

/// The open run of a queue that has the dedup which another one was to get. The data of an error with
/// [`Code::Deduplicated`]: `error.downcast::<Deduplicated>()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deduplicated {
    /// The queue.
    pub queue: String,
    /// The dedup.
    pub dedup: String,
    /// The run that has it.
    pub run: RunId,
    /// How that run stands.
    pub status: Status,
    /// Why it stands so: whether it will ever end by itself.
    pub reason: String,
}

impl Deduplicated {
    /// The error of whoever wanted the dedup, with what can be done instead.
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
            "queue `{queue}` has an open run with dedup `{dedup}` already: run {run:?}, which is {status} ({reason})"
        )
    }
}

impl std::error::Error for Deduplicated {}
