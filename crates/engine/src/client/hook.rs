//! Send a payload to a run by the token of its hook.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{HookPayload, Store};
use onward_types::{Error, Json, Resumed, check_name};

use super::lazy::Lazy;

/// A payload about to be sent to a hook. Made by [`Client::resume_hook`](crate::Client::resume_hook); resolves to what became of
/// it.
#[must_use = "a payload is sent when this is awaited"]
pub struct ResumeHook<'a> {
    store: &'a Store,
    call: Lazy<'a, Parts, Result<Resumed, Error>>,
}

struct Parts {
    token: String,
    key: Option<String>,
    body: Result<Json, Error>,
}

impl<'a> ResumeHook<'a> {
    pub(crate) fn new(store: &'a Store, token: String, body: Result<Json, Error>) -> ResumeHook<'a> {
        ResumeHook { store, call: Lazy::new(Parts { token, key: None, body }) }
    }

    /// An idempotency key. A second payload with the same key, to the same hook, is not delivered again: so a send whose result
    /// is unknown can be repeated.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.call.change(|parts| parts.key = Some(key.into()));
        self
    }
}

impl Future for ResumeHook<'_> {
    type Output = Result<Resumed, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let store = self.store;
        self.call.poll(cx, |Parts { token, key, body }| {
            Box::pin(async move {
                check_name("token of a hook", &token)?;
                if let Some(key) = &key {
                    check_name("key of a payload", key)?;
                }
                store.resume_hook(HookPayload { token, body: body?, key }).await
            })
        })
    }
}
