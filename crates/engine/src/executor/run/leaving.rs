//! How a run leaves the memory of its executor: it is asked to leave, makes its last change, and that change becomes durable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use onward_store::LeaveHow;
use onward_types::Error;

use crate::cancelled::Canceller;
use crate::sync::lock;

/// Why a run is asked to leave.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// It only waits: park it.
    Park,
    /// The executor shuts down: release the run once no step body runs.
    Release,
    /// The executor shuts down, and the time limit has passed.
    ReleaseNow,
    /// The database rejected its changes.
    Rejected(Error),
    /// It was revoked: release it.
    Revoked,
    /// Its executor was fenced off: drop it.
    Fenced,
}

impl Stop {
    /// A stronger reason replaces a weaker one.
    fn weight(&self) -> u8 {
        match self {
            Stop::Park => 0,
            Stop::Release => 1,
            Stop::ReleaseNow => 2,
            Stop::Rejected(_) => 3,
            Stop::Revoked => 4,
            Stop::Fenced => 5,
        }
    }
}

/// The leave of one run.
#[derive(Default)]
pub(crate) struct Leaving {
    stop: Mutex<Option<Stop>>,
    /// How it leaves, from its last change until that is durable.
    how: Mutex<Option<LeaveHow>>,
    /// Whether its last change is durable: another executor may own it by now.
    gone: AtomicBool,
    /// Whether the release of the revoked run has begun.
    releasing: AtomicBool,
}

impl Leaving {
    /// Asks the run to leave. The first reason counts, unless the new one is stronger. Bodies that are to end
    /// at once are cancelled before the run can see the reason and leave.
    pub(crate) fn ask(&self, why: Stop, canceller: &Canceller) {
        let mut stop = lock(&self.stop);
        if stop.as_ref().is_some_and(|before| before.weight() >= why.weight()) {
            return;
        }
        if matches!(why, Stop::Revoked | Stop::Fenced | Stop::ReleaseNow) {
            canceller.cancel();
        }
        *stop = Some(why);
    }

    pub(crate) fn asked(&self) -> Option<Stop> {
        lock(&self.stop).clone()
    }

    /// Withdraws a park that is no longer possible.
    pub(crate) fn forget_park(&self) {
        let mut stop = lock(&self.stop);
        if matches!(*stop, Some(Stop::Park)) {
            *stop = None;
        }
    }

    /// The last change was made.
    pub(crate) fn begin(&self, how: LeaveHow) {
        *lock(&self.how) = Some(how);
    }

    /// Whether the last change was made, is not durable yet, and leaves in this way.
    pub(crate) fn is(&self, is_so: impl Fn(&LeaveHow) -> bool) -> bool {
        lock(&self.how).as_ref().is_some_and(is_so)
    }

    /// Whether the last change was made.
    pub(crate) fn has_begun(&self) -> bool {
        self.is(|_| true) || self.gone.load(Ordering::SeqCst)
    }

    /// All changes are durable. Returns how the run left, if that was one of them.
    pub(crate) fn take(&self) -> Option<LeaveHow> {
        let mut how = lock(&self.how);
        // Before `how` is cleared: at every moment one of the two says that the run has left.
        self.gone.store(how.is_some(), Ordering::SeqCst);
        how.take()
    }

    /// Begins the release of a revoked run, once: the journal may refuse several of its entries.
    pub(crate) fn begin_release(&self) -> bool {
        !self.releasing.swap(true, Ordering::SeqCst)
    }
}
