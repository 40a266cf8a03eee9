//! How far a run is ahead of what is durable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use super::state::Outcome;
use crate::future::BoxFuture;
use crate::sync::lock;

#[derive(Default)]
pub(crate) struct Pace {
    /// How many of the run's changes are durable.
    durable: AtomicU64,
    /// Whether the run waits for the journal before it continues.
    held_back: AtomicBool,
    /// Database operations in progress of calls that were dropped.
    dropped: Mutex<Vec<BoxFuture<'static, Outcome>>>,
}

impl Pace {
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::SeqCst)
    }

    /// Changes up to this one are durable.
    pub(crate) fn advance(&self, upto: u64) {
        self.durable.fetch_max(upto, Ordering::SeqCst);
    }

    /// Makes the run wait for its next commit.
    pub(crate) fn hold_back(&self) {
        self.held_back.store(true, Ordering::SeqCst);
    }

    /// Ends the wait; returns whether the run waited.
    pub(crate) fn take_held_back(&self) -> bool {
        self.held_back.swap(false, Ordering::SeqCst)
    }

    /// Keeps a database operation whose call was dropped. It is finished before the run makes any further change, which may be
    /// the one that undoes it.
    pub(crate) fn keep_dropped(&self, doing: BoxFuture<'static, Outcome>) {
        lock(&self.dropped).push(doing);
    }

    /// Finishes the operations of dropped calls.
    pub(crate) fn finish_dropped(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = lock(&self.dropped);
        left.retain_mut(|doing| doing.as_mut().poll(cx).is_pending());
        if left.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}
