//! The history of a run: who steered it, how and why.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::Store;
use onward_types::{Error, RunId, SteeringRecord};

use super::lazy::Lazy;

/// How many acts one call lists unless it says otherwise.
const LIMIT: u32 = 1_000;

/// The history of a run, about to be read. Made by [`WorkflowHandle::steerings`](crate::WorkflowHandle::steerings); resolves to
/// the acts on the run, oldest first.
#[must_use = "this is read when it is awaited"]
pub struct ListSteerings {
    store: Store,
    run: RunId,
    call: Lazy<'static, Part, Result<Vec<SteeringRecord>, Error>>,
}

/// Which part of the history.
struct Part {
    after: u64,
    limit: u32,
}

impl ListSteerings {
    pub(super) fn new(store: &Store, run: &RunId) -> ListSteerings {
        ListSteerings { store: store.clone(), run: run.clone(), call: Lazy::new(Part { after: 0, limit: LIMIT }) }
    }

    /// Begin after the act with this [`seq`](SteeringRecord::seq): that of the last one on the previous page.
    pub fn after(mut self, seq: u64) -> Self {
        self.call.change(|part| part.after = seq);
        self
    }

    /// List at most this many acts; 1,000 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        self.call.change(|part| part.limit = limit);
        self
    }
}

impl Future for ListSteerings {
    type Output = Result<Vec<SteeringRecord>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ListSteerings { store, run, call } = &mut *self;
        call.poll(cx, |Part { after, limit }| {
            let (store, run) = (store.clone(), run.clone());
            Box::pin(async move { store.steerings(&run, after, limit).await })
        })
    }
}
