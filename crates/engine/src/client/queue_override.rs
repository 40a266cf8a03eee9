//! Limits of a queue that an operator sets, with who does it and why.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{QueueChange, Store};
use onward_types::{Attribution, Error, QueueRecord};

use super::lazy::Lazy;

/// Limits of a queue in place of those that code declares. Made by [`Queue::override_limits`](crate::Queue::override_limits); done
/// when it is awaited. Resolves to the queue as it is then.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// let mail = client.queue("mail").concurrency(1).override_limits().by("ann").reason("the relay is slow").await?;
/// println!("at most {:?} at once; the code declares {:?}", mail.limits.concurrency, mail.declared.concurrency);
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct OverrideQueue {
    store: Store,
    name: String,
    call: Lazy<'static, (Result<QueueChange, Error>, Attribution), Result<QueueRecord, Error>>,
}

impl OverrideQueue {
    pub(super) fn new(store: &Store, name: String, change: Result<QueueChange, Error>) -> OverrideQueue {
        OverrideQueue { store: store.clone(), name, call: Lazy::new((change, Attribution::default())) }
    }

    /// Who does it, for example the name of a user: 1 to 512 bytes without control characters. It is shown with the queue.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.call.change(|(_, who)| who.by = Some(actor.into()));
        self
    }

    /// Why: one line of at most 2,048 bytes. It is shown with the queue.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.call.change(|(_, who)| who.reason = Some(reason.into()));
        self
    }
}

impl Future for OverrideQueue {
    type Output = Result<QueueRecord, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let OverrideQueue { store, name, call } = &mut *self;
        call.poll(cx, |(change, who)| {
            let (store, name) = (store.clone(), name.clone());
            Box::pin(async move { store.override_queue(&name, change?, who).await })
        })
    }
}
