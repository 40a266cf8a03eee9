//! Read the events of a run.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_types::{Error, Json, RunId};

use super::Client;
use super::lazy::Lazy;
use crate::data::Data;
use crate::executor::waiters::EVENT_TIMEOUT;

/// Waits for an event. Made by [`Client::get_event`]; resolves to its latest value, or to `None` if it was not set in time.
#[must_use = "an event is read when this is awaited"]
pub struct GetEvent<'a, T> {
    client: &'a Client,
    call: Lazy<'a, Parts, Result<Option<Json>, Error>>,
    value: PhantomData<fn() -> T>,
}

struct Parts {
    run: RunId,
    key: String,
    timeout: Duration,
}

impl<'a, T: Data> GetEvent<'a, T> {
    pub(crate) fn new(client: &'a Client, run: RunId, key: String) -> GetEvent<'a, T> {
        GetEvent { client, call: Lazy::new(Parts { run, key, timeout: EVENT_TIMEOUT }), value: PhantomData }
    }

    /// How long to wait. Zero reads once without waiting. The default is 60 s.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.call.change(|parts| parts.timeout = limit);
        self
    }
}

impl<T> Unpin for GetEvent<'_, T> {}

impl<T: Data> Future for GetEvent<'_, T> {
    type Output = Result<Option<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let client = self.client;
        let read = self.call.poll(cx, |Parts { run, key, timeout }| Box::pin(within(client, run, key, timeout)));
        read.map(|value| value?.map(|json| json.decode()).transpose())
    }
}

async fn within(client: &Client, run: RunId, key: String, limit: Duration) -> Result<Option<Json>, Error> {
    let waits = Box::pin(async {
        tokio::select! {
            biased;
            value = client.waiters.event(&run, &key) => value.map(Some),
            () = client.store.clock().sleep(limit) => read_event(client, &run, &key).await,
            () = client.waiters.closed() => {
                let closed = super::closed(format!("event `{key}` of run {run:?}"));
                super::last_look(read_event(client, &run, &key), closed).await.map(Some)
            }
        }
    });
    crate::scope::wait_for_runs(waits).await
}

async fn read_event(client: &Client, run: &RunId, key: &str) -> Result<Option<Json>, Error> {
    Ok(client.store.event_of(run, key).await?.and_then(|(_, value)| value))
}
