//! Send messages to runs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{NewMessage, Store};
use onward_types::{Code, Error, Json, RunId, Sent, check_name, check_topic};
use serde::Serialize;

use super::lazy::Lazy;

/// A message about to be sent. Made by [`Client::send`](crate::Client::send); sent when it is awaited.
#[must_use = "a message is sent when this is awaited"]
pub struct SendMessage<'a> {
    store: &'a Store,
    call: Lazy<'a, Message, Result<Sent, Error>>,
}

/// A message for [`Client::send_all`](crate::Client::send_all).
#[derive(Clone, Debug)]
#[must_use = "a message is sent by `send_all`"]
pub struct Message {
    run: String,
    topic: String,
    body: Result<Json, Error>,
    key: Option<String>,
}

impl Message {
    /// A message to a run, on a topic of 1 to 512 bytes.
    pub fn new(run: impl Into<String>, topic: impl Into<String>, body: impl Serialize) -> Message {
        Message { run: run.into(), topic: topic.into(), body: crate::data::encode("message", &body), key: None }
    }

    /// An idempotency key. A second message with the same key, to the same run, is not delivered again.
    pub fn key(mut self, key: impl Into<String>) -> Message {
        self.key = Some(key.into());
        self
    }

    /// The message, after all checks.
    pub(crate) fn checked(self) -> Result<NewMessage, Error> {
        check_topic(&self.topic)?;
        if let Some(key) = &self.key {
            check_name("key of a message", key)?;
        }
        Ok(NewMessage { run: RunId::new(self.run)?, topic: self.topic, body: self.body?, key: self.key })
    }
}

impl<'a> SendMessage<'a> {
    pub(crate) fn new(store: &'a Store, message: Message) -> SendMessage<'a> {
        SendMessage { store, call: Lazy::new(message) }
    }

    /// An idempotency key. A second message with the same key, to the same run, is not delivered again: so a send whose result
    /// is unknown can be repeated.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.call.change(|message| message.key = Some(key.into()));
        self
    }
}

impl Future for SendMessage<'_> {
    type Output = Result<Sent, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let store = self.store;
        self.call.poll(cx, |message| {
            Box::pin(async move {
                let sent = store.send(vec![message.checked()?]).await?;
                sent.into_iter().next().ok_or_else(|| Error::new(Code::Corrupt, "internal error: nothing was sent"))
            })
        })
    }
}
