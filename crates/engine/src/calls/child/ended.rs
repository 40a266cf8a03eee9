//! Waits for the end of a child.

use std::sync::Arc;
use std::task::Poll;

use onward_store::WaitKind;
use onward_types::{Code, Error, RunId, RunKey};

use super::super::Drive;
use super::super::answered::until_answered;
use crate::executor::run::core::RunCore;
use crate::executor::run::state::{Idle, Outcome};
use crate::executor::waiters::{Until, result_of};
use crate::future::BoxFuture;

/// Waits for the end of a run and records its result in this run: the child may be deleted before its parent is replayed.
pub(super) fn wait_for(drive: &Drive, key: RunKey) -> BoxFuture<'static, Outcome> {
    drive.core.with_state(|state| state.set_idle(drive.position, Idle::Until(None)));
    let Some(executor) = drive.core.executor().cloned() else { return Box::pin(std::future::pending()) };
    let made = drive.core.with_state(|state| state.made());
    let core = Arc::downgrade(&drive.core);
    let call = Awaiting { name: drive.name.clone(), position: drive.position };
    let mut key = key;
    Box::pin(async move {
        // Until its creation is committed, the child is not in the database.
        let durable = std::future::poll_fn(|cx| match core.upgrade() {
            Some(core) if core.is_durable(made, cx.waker()) => Poll::Ready(()),
            _ => Poll::Pending,
        });
        durable.await;
        let clock = executor.store.clock();
        let held = loop {
            match until_answered(clock, || executor.waiters.wait(key, Some(&executor.residents), Until::Ended)).await {
                // If this error were recorded, it would be the result of the child for ever.
                Ok(outcome) if outcome.unreadable.is_some() => {
                    break outcome.unreadable.clone().unwrap_or_else(|| missing(&call, key));
                }
                Ok(outcome) => match &outcome.cancelled_with {
                    Some(root) => break cancelled_with(&call, root),
                    None => return result_of(&outcome),
                },
                Err(error) if error.is_unknown_run() => {
                    match until_answered(clock, || executor.store.arrived_as(key)).await {
                        Ok(None) => break missing(&call, key),
                        Ok(Some(here)) => {
                            let Some(core) = core.upgrade() else { return std::future::pending().await };
                            wait_for_another(&core, &call, here);
                            key = here;
                        }
                        Err(error) => break error,
                    }
                }
                Err(error) => break error,
            }
        };
        if let Some(core) = core.upgrade() {
            core.halt(held);
            core.task.wake();
        }
        std::future::pending().await
    })
}

/// The awaited run was imported into this database and has another key here: wait for that key.
fn wait_for_another(core: &RunCore, Awaiting { name, position }: &Awaiting, here: RunKey) {
    let now = core.clock().now();
    core.with_state(|state| {
        state.close_wait(*position);
        state.open_wait(*position, name, WaitKind::Child(here), now);
    });
    core.task.wake();
}

/// The call that waits for a child, as errors name it.
struct Awaiting {
    name: Arc<str>,
    position: u32,
}

/// The child is not in the database: it was not imported with its parent, or its rows were deleted. That is not a result.
fn missing(Awaiting { name, position }: &Awaiting, key: RunKey) -> Error {
    let message = format!(
        "child `{name}` (key {key}), which the call at position {position} waits for, is not in this database. Import its file \
         and resume this run, or fork this run from the position that started the child to start another one"
    );
    Error::new(Code::Held, message)
}

/// A child that was cancelled together with another run has not ended: it continues when that run is resumed.
fn cancelled_with(Awaiting { name, position }: &Awaiting, root: &RunId) -> Error {
    let message = format!(
        "child `{name}`, which the call at position {position} waits for, was cancelled together with run `{root}`, so it has \
         no result. Resume run `{root}` or the child, then resume this run"
    );
    Error::new(Code::Held, message)
}
