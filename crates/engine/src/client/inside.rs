//! The client of an executor as its runs get it, with `ctx.client()`.

use std::sync::Arc;

use super::Client;
use crate::executor::Executor;

/// The client of an executor without the executor. The executor keeps it for its runs; a client with the executor in it would
/// keep that alive for ever.
pub(crate) struct ForRuns(Client);

impl Client {
    /// The part of this client that its executor may keep.
    pub(crate) fn for_runs(&self) -> ForRuns {
        ForRuns(Client { executor: None, ..self.clone() })
    }
}

impl ForRuns {
    /// The client of this executor.
    pub(crate) fn of(&self, executor: &Arc<Executor>) -> Client {
        Client { executor: Some(executor.clone()), ..self.0.clone() }
    }
}
