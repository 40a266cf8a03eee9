//! Brings messages to the runs in memory that wait for some: when they begin to wait, when a signal says that something was
//! sent, and each second.

use std::collections::HashMap;
use std::sync::Arc;

use onward_store::{Message, Signal};
use onward_types::RunKey;

use super::{Ear, SWEEP, note};
use crate::executor::Executor;
use crate::executor::post::Asked;
use crate::run::core::RunCore;

/// Messages of so many runs are read at once.
const CHUNK: usize = 500;

pub(crate) async fn run(executor: Arc<Executor>) {
    let mut ear = Ear::new(&executor);
    loop {
        tokio::select! {
            signal = ear.next(&executor) => match signal {
                Some(Signal::Sent(keys)) => remind(&executor, keys.iter().filter_map(|key| executor.residents.get(*key))),
                Some(Signal::Look) | None => remind(&executor, executor.residents.all().into_iter()),
                Some(_) => continue,
            },
            () = executor.post.asked() => {}
        }
        loop {
            let some = executor.post.take(CHUNK);
            if some.is_empty() {
                break;
            }
            bring(&executor, some).await;
        }
    }
}

fn remind(executor: &Executor, cores: impl Iterator<Item = Arc<RunCore>>) {
    for core in cores {
        if core.state().waits_for_messages() {
            executor.post.remind(&core);
        }
    }
}

async fn bring(executor: &Executor, some: Vec<Asked>) {
    // What is durable now is seen by the read that follows.
    let durable: Vec<u64> = some.iter().map(|asked| asked.core.durable()).collect();
    let keys: Vec<RunKey> = some.iter().map(|asked| asked.core.key).collect();
    let Some(found) = note(executor, "postman", "read", executor.store.unconsumed(keys).await) else {
        executor.post.put_back(some);
        return executor.store.clock().sleep(SWEEP).await;
    };
    let mut messages: HashMap<RunKey, Vec<Message>> = HashMap::new();
    for (key, message) in found {
        messages.entry(key).or_default().push(message);
    }
    for (asked, durable) in some.into_iter().zip(durable) {
        let of_run = messages.remove(&asked.core.key).unwrap_or_default();
        asked.core.receive(of_run, durable);
        asked.done();
    }
}
