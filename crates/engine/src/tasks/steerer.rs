//! Lets go of runs that somebody else steered: told by a signal, and looked for each second.

use std::sync::Arc;

use onward_store::Signal;

use super::{next_signal, note};
use crate::executor::Executor;

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut signals = executor.store.signals();
    loop {
        match next_signal(&executor, &mut signals).await {
            Some(Signal::Revoked(keys)) => executor.revoke(&keys),
            Some(Signal::Look) | None => {
                let seat = executor.seat();
                if let Some(keys) = note(&executor, executor.store.revoked(&seat.executor).await) {
                    executor.revoke(&keys);
                }
            }
            Some(Signal::Ready | Signal::Finished(_) | Signal::Listening) => {}
        }
    }
}
