//! What the current thread is executing: which run, and which step of it. Set only while a future is polled, so it is correct
//! on every thread that a run moves to.

use std::cell::RefCell;
use std::sync::Arc;

use onward_types::StepKind;

use crate::told::Told;

thread_local! {
    static RUN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static STEP: RefCell<Option<InStep>> = const { RefCell::new(None) };
}

/// A step whose body is being polled.
#[derive(Clone, Debug)]
pub(crate) struct InStep {
    pub(crate) kind: StepKind,
    pub(crate) name: Arc<str>,
    pub(crate) position: u32,
    pub(crate) attempt: u32,
    /// What the body of this attempt has told so far.
    pub(crate) told: Arc<Told>,
    /// The same on every attempt and after every crash.
    pub(crate) idempotency_key: Arc<str>,
}

/// Polls something as the run at this address.
pub(crate) fn in_run<T>(run: usize, poll: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            RUN.with_borrow_mut(|runs| {
                runs.pop();
            });
        }
    }
    RUN.with_borrow_mut(|runs| runs.push(run));
    let _leave = Leave;
    poll()
}

/// Whether the run at this address is being polled.
pub(crate) fn is_run(run: usize) -> bool {
    RUN.with_borrow(|runs| runs.last() == Some(&run))
}

/// Polls the body of a step.
pub(crate) fn in_step<T>(step: &InStep, poll: impl FnOnce() -> T) -> T {
    struct Restore(Option<InStep>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STEP.set(self.0.take());
        }
    }
    let _restore = Restore(STEP.replace(Some(step.clone())));
    poll()
}

/// The step whose body is being polled, if any.
pub(crate) fn step() -> Option<InStep> {
    STEP.with_borrow(Clone::clone)
}

/// Waits for other runs. Meanwhile the body of a step leaves its place to others.
pub(crate) async fn wait_for_runs<T>(wait: impl Future<Output = T>) -> T {
    match step() {
        Some(step) => step.told.place.lent(wait).await,
        None => wait.await,
    }
}
