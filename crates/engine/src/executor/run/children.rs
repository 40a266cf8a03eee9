//! Waiting, at the end of a run, for the children that its end has to wait for.
//!
//! The wait is a call of the run like any other: a run that waits can be parked, and a replay that finds the wait recorded passes
//! it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use onward_store::WaitKind;
use onward_types::{Json, StepKind};

use super::core::RunCore;
use super::state::{CHILDREN, Idle, Polled};
use crate::executor::Executor;
use crate::executor::registry::{Output, Running};
use crate::executor::waiters::Until;
use crate::future::BoxFuture;
use onward_types::BoxError;

/// Waits for the children, and then returns what the workflow returned.
pub(super) fn wait_for(core: &Arc<RunCore>, result: Result<Output, BoxError>) -> Running {
    let position = core.with_state(|state| state.take_position());
    let children = Children { core: core.clone(), position, name: CHILDREN.into(), waiting: None };
    Box::pin(async move {
        children.await;
        result
    })
}

struct Children {
    core: Arc<RunCore>,
    position: u32,
    name: Arc<str>,
    waiting: Option<BoxFuture<'static, ()>>,
}

impl Future for Children {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Children { core, position, name, waiting } = &mut *self;
        let now = core.clock().now();
        let polled = core.with_state(|state| state.poll_call(*position, StepKind::Child, name, cx.waker(), now));
        match polled {
            Polled::Done(_) => return Poll::Ready(()),
            Polled::Wait => return Poll::Pending,
            Polled::Live => {}
        }
        let Some(executor) = core.executor() else { return Poll::Ready(()) };
        let have_ended = waiting
            .get_or_insert_with(|| Box::pin(have_ended(core.clone(), executor.clone(), *position, name.clone())));
        if have_ended.as_mut().poll(cx).is_ready() {
            core.with_state(|state| state.complete(*position, Ok(Json::null()), now));
        }
        Poll::Pending
    }
}

/// Resolves when no such child is left that has not ended. Each is waited for with a wait row, so that the run can be parked.
async fn have_ended(core: Arc<RunCore>, executor: Arc<Executor>, position: u32, name: Arc<str>) {
    let made = core.with_state(|state| state.made());
    // Until its creation is committed, a child is not in the database.
    std::future::poll_fn(|cx| if core.is_durable(made, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
    let mut waits_for = match core.with_state(|state| state.take_wait(position)) {
        Some(WaitKind::Child(child)) => Some(child),
        _ => None,
    };
    let duty = format!("wait for the children of {}", core.about.id);
    loop {
        match executor.store.awaited_child(core.about.key).await {
            Ok(None) => return executor.no_trouble("runs", duty),
            Ok(Some(child)) => {
                executor.no_trouble("runs", duty.clone());
                if waits_for != Some(child) {
                    let now = core.clock().now();
                    core.with_state(|state| {
                        state.close_wait(position);
                        state.open_wait(position, &name, WaitKind::Child(child), now);
                    });
                    waits_for = Some(child);
                }
                core.with_state(|state| state.set_idle(position, Idle::Until(None)));
                core.task.wake();
                // An error is no answer: whether the child is left says the database.
                if executor.waiters.wait(child, Some(&executor.residents), Until::Ended).await.is_err() {
                    executor.store.clock().sleep(AGAIN).await;
                }
                core.with_state(|state| state.set_idle(position, Idle::No));
            }
            Err(error) => {
                executor.trouble("runs", duty.clone(), error.message().to_owned());
                executor.store.clock().sleep(AGAIN).await;
            }
        }
    }
}

const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
