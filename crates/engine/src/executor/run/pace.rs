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
    /// Whether the run waits for the journal before it goes on.
    held_back: AtomicBool,
    /// What calls that were dropped are still doing to the database.
    left_behind: Mutex<Vec<BoxFuture<'static, Outcome>>>,
}

impl Pace {
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::SeqCst)
    }

    /// Changes up to this one are durable. Says whether the run waited for that.
    pub(crate) fn advance(&self, upto: u64) {
        self.durable.fetch_max(upto, Ordering::SeqCst);
    }

    /// The run waits until more is durable.
    pub(crate) fn hold_back(&self) {
        self.held_back.store(true, Ordering::SeqCst);
    }

    /// Whether the run waited; from now on it does not.
    pub(crate) fn let_on(&self) -> bool {
        self.held_back.swap(false, Ordering::SeqCst)
    }

    /// A call was dropped while it did this to the database. It is brought to its end before any change that the run makes from
    /// now on, among which is the one that undoes it.
    pub(crate) fn leave_behind(&self, doing: BoxFuture<'static, Outcome>) {
        lock(&self.left_behind).push(doing);
    }

    /// Bring to its end what dropped calls left behind.
    pub(crate) fn finish_left_behind(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = lock(&self.left_behind);
        left.retain_mut(|doing| doing.as_mut().poll(cx).is_pending());
        if left.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}
