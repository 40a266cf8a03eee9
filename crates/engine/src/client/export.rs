//! Export runs to a file.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::Family;
use onward_types::{Error, RunId};

use super::Client;
use super::lazy::Lazy;

/// A run about to be exported. Made by [`WorkflowHandle::export`](crate::WorkflowHandle::export); resolves to the content of
/// the file.
#[must_use = "a run is exported when this is awaited"]
pub struct Export<'a> {
    client: &'a Client,
    id: &'a RunId,
    call: Lazy<'a, Family, Result<String, Error>>,
}

impl<'a> Export<'a> {
    pub(super) fn new(client: &'a Client, id: &'a RunId) -> Export<'a> {
        Export { client, id, call: Lazy::new(Family::default()) }
    }

    /// Leave out the runs that this run started. After an import without them, the run is held where it waits for one of them.
    pub fn alone(mut self) -> Self {
        self.call.change(|family| *family = Family::Alone);
        self
    }

    /// Include every run that this run started, also those that have ended and whose results are no longer needed.
    pub fn all(mut self) -> Self {
        self.call.change(|family| *family = Family::All);
        self
    }
}

impl Future for Export<'_> {
    type Output = Result<String, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Export { client, id, .. } = *self;
        self.call.poll(cx, |family| Box::pin(client.store.export(id, family)))
    }
}
