//! Runs as files, on their way out.

use std::future::IntoFuture;

use onward_store::Family;
use onward_types::{Error, RunId};

use super::Client;
use crate::future::BoxFuture;

/// A run about to be written to a file. Made by [`WorkflowHandle::export`](crate::WorkflowHandle::export); awaits to the file.
#[must_use = "a run is exported when this is awaited"]
pub struct Export<'a> {
    client: &'a Client,
    id: &'a RunId,
    family: Family,
}

impl<'a> Export<'a> {
    pub(super) fn new(client: &'a Client, id: &'a RunId) -> Export<'a> {
        Export { client, id, family: Family::default() }
    }

    /// Leave out all that the run started. Imported without them, it is held where it waits for one of them.
    pub fn alone(mut self) -> Self {
        self.family = Family::Alone;
        self
    }

    /// Take all that the run started, what has ended and is asked for by nobody, too.
    pub fn all(mut self) -> Self {
        self.family = Family::All;
        self
    }
}

impl<'a> IntoFuture for Export<'a> {
    type Output = Result<String, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> BoxFuture<'a, Self::Output> {
        Box::pin(async move { self.client.store.export(self.id, self.family).await })
    }
}
