//! Drives a run: polls the workflow until it is quiet, delivers one completion, and polls again; submits changes to the journal
//! whenever there is nothing more to deliver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use onward_store::LeaveHow;
use onward_types::{BoxError, Code, Error, ErrorType, Json, Timestamp, guarded};

use super::core::RunCore;
use super::leaving::Stop;
use super::state::Idle;
use super::{children, retry};
use crate::executor::registry::{Failing, OnPanic, Output, Running};
use crate::future::BoxFuture;
use crate::scope;
use crate::sync::lock;

/// A workflow that wakes itself this often without waiting for anything yields its thread once.
const SPINS_MAX: u32 = 10_000;

/// Why a run is not driven any further.
pub(crate) enum Ended {
    /// The workflow returned.
    Finished(Result<Json, Error>),
    /// Continuing would lose something.
    Held(Error),
    /// The workflow has paused the run, or its generation has ended: by itself, or with an attempt that failed.
    Departs(LeaveHow),
    /// It only waits.
    Parked(Option<Timestamp>),
    /// The executor shuts down.
    Released,
    /// The run was revoked.
    Revoked,
    /// This executor was fenced off.
    Fenced,
}

/// Drives the run until it leaves. The workflow's future is dropped before this returns.
pub(crate) async fn drive(core: &Arc<RunCore>, workflow: Running, failing: &Failing, errors: ErrorType) -> Ended {
    let root = Arc::new(Root { core: core.clone(), woken: AtomicBool::new(true), polling: AtomicBool::new(false) });
    let waker = Waker::from(root.clone());
    // With Tokio's budget, a workflow that still has work could look quiet, and completions are delivered when it is quiet.
    let mut workflow = Some(Box::pin(tokio::task::unconstrained(workflow)));
    let mut room = None;
    let ended = std::future::poll_fn(|cx| {
        core.task.register(cx.waker());
        root.polling.store(true, Ordering::SeqCst);
        let mut spins = 0;
        loop {
            if let Some(ended) = stopped(core) {
                return Poll::Ready(ended);
            }
            if root.woken.swap(false, Ordering::SeqCst) {
                let Some(future) = workflow.as_mut() else { return Poll::Ready(Ended::Fenced) };
                let polled = guarded(|| {
                    scope::in_run(core.address(), || future.as_mut().poll(&mut Context::from_waker(&waker)))
                });
                match wait_for_children(core, polled) {
                    Ok(waiting) => {
                        workflow = Some(Box::pin(tokio::task::unconstrained(waiting)));
                        root.woken.store(true, Ordering::SeqCst);
                    }
                    Err(polled) => {
                        if let Some(ended) = judge(core, polled, failing, errors) {
                            return Poll::Ready(ended);
                        }
                    }
                }
                spins += 1;
                if spins > SPINS_MAX {
                    if core.pace.finish_dropped(cx).is_ready() {
                        core.flush();
                    }
                    cx.waker().wake_by_ref();
                    root.polling.store(false, Ordering::SeqCst);
                    return Poll::Pending;
                }
                continue;
            }
            if core.pace.finish_dropped(cx).is_pending() {
                root.polling.store(false, Ordering::SeqCst);
                if root.woken.load(Ordering::SeqCst) {
                    root.polling.store(true, Ordering::SeqCst);
                    continue;
                }
                return Poll::Pending;
            }
            core.judge_messages();
            let goes_on = may_go_on(core, &mut room, cx);
            if goes_on && core.state().deliver(core.clock().now()) {
                core.note_busy();
                continue;
            }
            if let Some(why) = core.state().halted() {
                return Poll::Ready(Ended::Held(why.clone()));
            }
            if goes_on && let Some(how) = core.state().take_departure() {
                return Poll::Ready(Ended::Departs(how));
            }
            core.flush();
            core.note_quiet();
            root.polling.store(false, Ordering::SeqCst);
            // A wake during the poll only set the flag.
            if root.woken.load(Ordering::SeqCst) {
                root.polling.store(true, Ordering::SeqCst);
                continue;
            }
            return Poll::Pending;
        }
    })
    .await;
    core.state().leave_memory();
    // A panic in a drop must not end the executor.
    let future = workflow.take();
    if let Err(said) = guarded(|| scope::in_run(core.address(), || drop(future))) {
        let about = &core.about;
        tracing::warn!(
            target: "onward::run",
            run = %about.id,
            workflow = %about.workflow,
            error = said,
            "dropping the future of the workflow panicked"
        );
    }
    core.state().forget_calls();
    ended
}

/// Whether the run may make more changes, or has to wait for the journal.
fn may_go_on(core: &RunCore, room: &mut Option<BoxFuture<'static, ()>>, cx: &mut Context<'_>) -> bool {
    if room.is_none() {
        *room = core.room();
    }
    if let Some(waiting) = room {
        if waiting.as_mut().poll(cx).is_pending() {
            return false;
        }
        *room = None;
    }
    !core.is_ahead()
}

/// Whether the run was asked to leave, and can.
fn stopped(core: &Arc<RunCore>) -> Option<Ended> {
    match core.leaving.asked()? {
        Stop::Revoked => Some(Ended::Revoked),
        Stop::Fenced => Some(Ended::Fenced),
        Stop::ReleaseNow => Some(Ended::Released),
        Stop::Rejected(error) => Some(Ended::Held(error)),
        Stop::Release => (!core.state().has_work()).then_some(Ended::Released),
        Stop::Park => match core.state().idle() {
            Idle::Until(at) => Some(Ended::Parked(at)),
            Idle::No => {
                core.leaving.forget_park();
                None
            }
        },
    }
}

/// What polling a workflow gave, or what it said when it panicked.
type Said = Result<Poll<Result<Output, BoxError>>, String>;

/// What is executed in place of a workflow that has returned, if its run has to wait for children before it ends.
fn wait_for_children(core: &Arc<RunCore>, polled: Said) -> Result<Running, Said> {
    match polled {
        Ok(Poll::Ready(result)) if core.state().waits_for_children() => Ok(children::wait_for(core, result)),
        other => Err(other),
    }
}

fn judge(core: &RunCore, polled: Said, failing: &Failing, errors: ErrorType) -> Option<Ended> {
    let result = match polled {
        Ok(Poll::Pending) => return None,
        // `Display`, `source`, `Serialize` and `Drop` of the error are user code.
        Ok(Poll::Ready(result)) => guarded(|| result.or_else(|error| failed(error, errors))),
        Err(said) => Err(said),
    };
    let result = match (result, failing.on_panic) {
        (Ok(Ok(Output::Encoded(output))), _) => Ok(output),
        (Ok(Ok(Output::Refused(why))), _) => return Some(Ended::Held(core.state().returned().unwrap_or(why))),
        (Ok(Err(error)), _) => Err(error),
        (Err(said), OnPanic::Fail) => Err(Error::new(Code::Panicked, format!("the workflow panicked: {said}"))),
        (Err(said), OnPanic::Hold) => {
            let message = format!("the workflow panicked: {said}. Fix the code, then resume the run");
            return Some(Ended::Held(core.state().panicked(Error::new(Code::Panicked, message))));
        }
    };
    // Not in the `match`, which would keep the lock.
    let held = core.state().returned();
    match held {
        Some(why) => Some(Ended::Held(why)),
        None => Some(retry::end(core, result, failing)),
    }
}

/// The error of a workflow. One that cannot be recorded is not a result of the run, as with an output.
fn failed(error: BoxError, errors: ErrorType) -> Result<Output, Error> {
    match errors.record(error) {
        Ok(error) => Err(error),
        Err(refused) => Ok(Output::Refused(refused)),
    }
}

impl RunCore {
    fn note_busy(&self) {
        *lock(&self.idle_since) = None;
    }

    /// The run has nothing to do until something happens: notes since when, so that it can be parked.
    fn note_quiet(&self) {
        self.note_replayed();
        let idle = matches!(self.state().idle(), Idle::Until(_));
        // A run that only waits cannot kill the process.
        if idle
            && self.about.suspect
            && let Some(executor) = self.executor()
        {
            executor.clear(self);
        }
        let mut since = lock(&self.idle_since);
        match (idle, *since) {
            (true, None) => *since = Some(self.clock().now()),
            (false, Some(_)) => *since = None,
            _ => {}
        }
    }
}

/// The waker of the whole workflow. A wake during the poll sets a flag; only a wake at another time wakes the task.
struct Root {
    core: Arc<RunCore>,
    woken: AtomicBool,
    polling: AtomicBool,
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.polling.load(Ordering::SeqCst) {
            self.core.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future};
    use onward_types::StepKind;

    use super::*;
    use crate::executor::run::ctx::Ctx;

    #[test]
    fn a_run_that_left_is_kept_alive_by_nobody() {
        let core = Ctx::detached().core;
        let waiting = core.clone();
        let workflow: Running = Box::pin(future::poll_fn(move |cx| {
            let now = waiting.clock().now();
            waiting.state().poll_call(0, StepKind::Sleep, &"sleep".into(), cx.waker(), now);
            Poll::Pending
        }));
        let failing = Failing::default();
        let mut driving = Box::pin(drive(&core, workflow, &failing, ErrorType::any()));
        assert!(driving.as_mut().now_or_never().is_none());
        core.stop(Stop::Revoked);
        assert!(matches!(driving.as_mut().now_or_never(), Some(Ended::Revoked)));
        drop(driving);
        assert_eq!(Arc::strong_count(&core), 1, "a waker of one of its calls holds the run");
    }
}
