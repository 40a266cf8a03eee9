//! How a run leaves the memory of its executor: that it was asked to, that its last change is on its way, that it is durable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use onward_store::LeaveHow;
use onward_types::Error;

use crate::sync::lock;

/// Why a run is to leave.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// It only waits: park it.
    Park,
    /// The executor shuts down: release the run once no body runs.
    Release,
    /// The executor shuts down, and time is up.
    ReleaseNow,
    /// The database refuses what it made.
    Rejected(Error),
    /// It was taken from this executor by a steering call: release it.
    Revoked,
    /// Its executor lost its fence: forget it.
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

/// The way out of one run.
#[derive(Default)]
pub(crate) struct Leaving {
    stop: Mutex<Option<Stop>>,
    /// How it leaves, while its last change is on its way.
    how: Mutex<Option<LeaveHow>>,
    /// Whether its last change is durable: its row may be another executor's by now.
    gone: AtomicBool,
    /// Whether the executor is about to release it after it was taken away.
    releasing: AtomicBool,
}

impl Leaving {
    /// Ask the run to leave. The first reason counts, unless the new one is stronger. Says whether its bodies are to be cancelled.
    pub(crate) fn ask(&self, why: Stop) -> bool {
        let mut stop = lock(&self.stop);
        if stop.as_ref().is_some_and(|before| before.weight() >= why.weight()) {
            return false;
        }
        let cancels = matches!(why, Stop::Revoked | Stop::Fenced | Stop::ReleaseNow);
        *stop = Some(why);
        cancels
    }

    pub(crate) fn asked(&self) -> Option<Stop> {
        lock(&self.stop).clone()
    }

    /// A park that was asked for and is not possible any more.
    pub(crate) fn forget_park(&self) {
        let mut stop = lock(&self.stop);
        if matches!(*stop, Some(Stop::Park)) {
            *stop = None;
        }
    }

    /// Its last change was made.
    pub(crate) fn begin(&self, how: LeaveHow) {
        *lock(&self.how) = Some(how);
    }

    /// How it leaves, if its last change was made and is not durable yet.
    pub(crate) fn is(&self, is_so: impl Fn(&LeaveHow) -> bool) -> bool {
        lock(&self.how).as_ref().is_some_and(is_so)
    }

    /// Whether its last change was made.
    pub(crate) fn has_begun(&self) -> bool {
        self.is(|_| true) || self.gone.load(Ordering::SeqCst)
    }

    /// Everything it made is durable. Gives how it left, if that was among it.
    pub(crate) fn take(&self) -> Option<LeaveHow> {
        let mut how = lock(&self.how);
        // Before `how` is empty: at every moment one of the two says that it has left.
        self.gone.store(how.is_some(), Ordering::SeqCst);
        how.take()
    }

    /// Begin to release a run that was taken away, once: the journal may refuse several of its entries.
    pub(crate) fn begin_release(&self) -> bool {
        !self.releasing.swap(true, Ordering::SeqCst)
    }
}
