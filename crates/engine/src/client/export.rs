//! Export runs to a file.

use std::future::IntoFuture;

use onward_store::Family;
use onward_types::{Error, RunId};

use super::Client;
use crate::future::BoxFuture;

/// A run about to be exported. Made by [`WorkflowHandle::export`](crate::WorkflowHandle::export); resolves to the content of
/// the file.
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

    /// Leave out the runs that this run started. After an import without them, the run is held where it waits for one of them.
    pub fn alone(mut self) -> Self {
        self.family = Family::Alone;
        self
    }

    /// Include every run that this run started, also those that have ended and whose results are no longer needed.
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
