//! Reads messages for the runs in memory that wait for them: when they begin to wait, when a signal says that a message was
//! sent, and each second.

use std::collections::HashMap;
use std::sync::Arc;

use onward_store::{Message, Signal, Wanted};
use onward_types::RunKey;

use super::{SWEEP, SignalReceiver, note};
use crate::executor::Executor;
use crate::executor::message_requests::MessageRequest;
use crate::executor::run::core::RunCore;

/// How many runs with refused messages are woken at once.
const WOKEN: u32 = 500;
/// For how many runs messages are read at once.
const CHUNK: usize = 500;

pub(crate) async fn run(executor: Arc<Executor>) {
    look_at_refused(&executor).await;
    let mut signals = SignalReceiver::new(&executor);
    loop {
        tokio::select! {
            signal = signals.next(&executor) => match signal {
                Some(Signal::Sent(keys)) => remind(&executor, keys.iter().filter_map(|key| executor.residents.get(*key))),
                Some(Signal::Look) | None => remind(&executor, executor.residents.all().into_iter()),
                Some(_) => continue,
            },
            () = executor.message_requests.requested() => {}
        }
        loop {
            let some = executor.message_requests.take(CHUNK);
            if some.is_empty() {
                break;
            }
            bring(&executor, some).await;
        }
    }
}

/// This executor may have newer code than the one that refused messages: wakes their runs so that they try again.
async fn look_at_refused(executor: &Executor) {
    let mut after = None;
    loop {
        match note(
            executor,
            "postman",
            "look at refused",
            executor.store.look_at_refused(executor.workflows(), after, WOKEN).await,
        ) {
            Some(None) => return,
            Some(last) => after = last,
            None => executor.store.clock().sleep(SWEEP).await,
        }
    }
}

fn remind(executor: &Executor, cores: impl Iterator<Item = Arc<RunCore>>) {
    for core in cores {
        if core.with_state(|state| state.waits_for_messages()) {
            executor.message_requests.remind(&core);
        }
    }
}

async fn bring(executor: &Executor, some: Vec<MessageRequest>) {
    // Read before the query: what is durable now is visible to it.
    let durable: Vec<u64> = some.iter().map(|request| request.core.pace.durable()).collect();
    let wanted: Vec<Vec<Wanted>> = some
        .iter()
        .map(|MessageRequest { core, .. }| core.with_state(|state| state.wanted_messages(core.about.key)))
        .collect();
    let all: Vec<Wanted> = wanted.iter().flatten().cloned().collect();
    let read = if all.is_empty() { Ok(Vec::new()) } else { executor.store.unconsumed(all).await };
    let Some(found) = note(executor, "postman", "read", read) else {
        executor.message_requests.put_back(some);
        return executor.store.clock().sleep(SWEEP).await;
    };
    let mut messages: HashMap<RunKey, Vec<Message>> = HashMap::new();
    for (key, message) in found {
        messages.entry(key).or_default().push(message);
    }
    for ((request, durable), wanted) in some.into_iter().zip(durable).zip(wanted) {
        let of_run = messages.remove(&request.core.about.key).unwrap_or_default();
        let read: Vec<_> = wanted.into_iter().map(|Wanted { topic, after, .. }| (topic, after)).collect();
        request.core.receive(&read, of_run, durable);
        request.done();
    }
}
