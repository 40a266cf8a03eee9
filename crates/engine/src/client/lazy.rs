//! A call that is built by methods and carried out when it is awaited.

use std::task::{Context, Poll};

use crate::future::BoxFuture;

/// The parts of a call until it is polled, and then the call in progress. The public types around it are futures themselves and
/// not only [`IntoFuture`], so that they can be joined and collected.
pub(super) struct Lazy<'a, P, O> {
    parts: Option<P>,
    running: Option<BoxFuture<'a, O>>,
}

impl<'a, P, O> Lazy<'a, P, O> {
    pub(super) fn new(parts: P) -> Self {
        Lazy { parts: Some(parts), running: None }
    }

    /// Changes the parts. Has no effect once the call is in progress.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut P)) {
        if let Some(parts) = &mut self.parts {
            change(parts);
        }
    }

    /// The parts, unless the call is in progress.
    pub(super) fn parts(&self) -> Option<&P> {
        self.parts.as_ref()
    }

    pub(super) fn into_parts(self) -> Option<P> {
        self.parts
    }

    /// The same call with another output.
    pub(super) fn map<V>(self, map: impl FnOnce(O) -> V + Send + 'a) -> Lazy<'a, P, V>
    where
        O: Send + 'a,
    {
        let running = self.running.map(|running| -> BoxFuture<'a, V> { Box::pin(async move { map(running.await) }) });
        Lazy { parts: self.parts, running }
    }

    /// The first poll begins the call.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, begin: impl FnOnce(P) -> BoxFuture<'a, O>) -> Poll<O> {
        if let Some(parts) = self.parts.take() {
            self.running = Some(begin(parts));
        }
        match &mut self.running {
            Some(running) => running.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
