//! What is in progress under the clock of a test, so that time can be skipped while everything only waits.
//!
//! Only a clock made by [`Clock::watched_at`](crate::Clock::watched_at) has an activity; with any other clock nothing is counted.
//! In progress is: every operation of the store, the journal from the first submitted change until all are settled, every body of a
//! step, and every task of an executor that was woken and has not been polled since. What is not counted waits: for a sleeper of the
//! clock, or for something that only the test can give.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;

use crate::sync::lock;

/// Counts what is in progress. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Activity(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    busy: AtomicUsize,
    /// Changes that were submitted and signals that were sent so far: what a sweep has found to do.
    progress: AtomicU64,
    quiet: Notify,
    /// The step after whose record the executor is to be lost.
    armed: Mutex<Option<String>>,
}

/// Something in progress, until it is dropped.
#[derive(Debug)]
pub struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.0.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.0.quiet.notify_waiters();
        }
    }
}

impl Activity {
    /// Begin something.
    #[must_use]
    pub fn begin(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::SeqCst);
        Busy(self.clone())
    }

    /// Wait until nothing is in progress.
    pub async fn quiet(&self) {
        loop {
            let quiet = self.0.quiet.notified();
            if self.0.busy.load(Ordering::SeqCst) == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// A change was submitted, or a signal was sent.
    pub(crate) fn note_progress(&self) {
        self.0.progress.fetch_add(1, Ordering::SeqCst);
    }

    /// How many changes were submitted and signals sent so far.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.0.progress.load(Ordering::SeqCst)
    }

    /// A task that counts as in progress from when it is woken until it has been polled.
    pub fn watch<T>(&self, task: impl Future<Output = T> + Send + 'static) -> Watched<T> {
        let waker = Arc::new(TaskWaker {
            activity: self.clone(),
            woken: Mutex::new(Some(self.begin())),
            task: Mutex::new(Waker::noop().clone()),
            gone: AtomicBool::new(false),
        });
        Watched { task: Box::pin(task), waker }
    }

    /// Lose the executor as soon as a step of this name is recorded: its journal takes nothing more.
    pub fn lose_after(&self, step: impl Into<String>) {
        *lock(&self.0.armed) = Some(step.into());
    }

    /// Forget [`lose_after`](Activity::lose_after).
    pub fn lose_after_nothing(&self) {
        *lock(&self.0.armed) = None;
    }

    /// Whether a step of this name was recorded for which [`lose_after`](Activity::lose_after) waits; then that is over.
    pub fn is_lost_after(&self, recorded: &str) -> bool {
        let mut armed = lock(&self.0.armed);
        let is_so = armed.as_deref().is_some_and(|name| is_called(recorded, name));
        if is_so {
            *armed = None;
        }
        is_so
    }

    /// The step that [`lose_after`](Activity::lose_after) still waits for.
    #[must_use]
    pub fn waits_to_lose_after(&self) -> Option<String> {
        lock(&self.0.armed).clone()
    }
}

/// Whether a call that was recorded under a name, behind the labels of its branches, is called `name`.
#[must_use]
pub fn is_called(recorded: &str, name: &str) -> bool {
    recorded.strip_suffix(name).is_some_and(|branches| branches.is_empty() || branches.ends_with('/'))
}

/// A task whose wake-ups are counted. Made by [`Activity::watch`].
pub struct Watched<T> {
    task: Pin<Box<dyn Future<Output = T> + Send>>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    activity: Activity,
    /// Present from a wake-up to the end of the next poll.
    woken: Mutex<Option<Busy>>,
    task: Mutex<Waker>,
    /// The task has ended or was dropped: a late wake-up means nothing.
    gone: AtomicBool,
}

impl<T> Future for Watched<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        lock(&self.waker.task).clone_from(cx.waker());
        // A wake-up from here on is a new one: it keeps the task busy after this poll.
        let _polling = lock(&self.waker.woken).take();
        let waker = Waker::from(self.waker.clone());
        self.task.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.waker.gone.store(true, Ordering::SeqCst);
        drop(lock(&self.waker.woken).take());
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = lock(&self.woken);
        if woken.is_none() && !self.gone.load(Ordering::SeqCst) {
            *woken = Some(self.activity.begin());
        }
        drop(woken);
        let task = lock(&self.task).clone();
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    fn is_quiet(activity: &Activity) -> bool {
        activity.quiet().now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_task_is_in_progress_from_its_wake_up_to_the_end_of_its_poll() {
        let activity = Activity::default();
        let (wake, woken) = oneshot::channel::<()>();
        let mut task = Box::pin(activity.watch(async { woken.await.is_ok() }));
        assert!(!is_quiet(&activity), "it was not polled yet");
        assert!((&mut task).now_or_never().is_none());
        assert!(is_quiet(&activity), "it waits");
        wake.send(()).unwrap();
        assert!(!is_quiet(&activity), "it was woken");
        assert_eq!((&mut task).now_or_never(), Some(true));
        drop(task);
        assert!(is_quiet(&activity));
    }

    #[tokio::test]
    async fn a_wake_up_that_comes_after_the_end_of_a_task_counts_for_nothing() {
        let activity = Activity::default();
        let (wake, woken) = oneshot::channel::<()>();
        let woken = woken.shared();
        let (first, second) = (woken.clone(), woken);
        let mut task = Box::pin(activity.watch(async move { first.await.is_ok() }));
        assert!((&mut task).now_or_never().is_none());
        drop(task);
        wake.send(()).unwrap();
        assert!(second.await.is_ok() && is_quiet(&activity));
    }

    #[test]
    fn a_name_is_that_of_a_call_in_any_branch() {
        assert!(is_called("charge", "charge") && is_called("eu/charge", "charge"));
        assert!(!is_called("recharge", "charge") && !is_called("charge", "recharge"));
    }
}
