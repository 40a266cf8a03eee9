//! What can be asked of a store about how runs talk: messages, events and streams.

use std::sync::Arc;

use onward_types::{Error, EventRecord, Json, RunId, RunKey, StreamInfo};

use super::Store;
use crate::codec::Payload;
use crate::ops::messages::{self, Message, NewMessage, Sent};
use crate::ops::streams::Chunks;
use crate::ops::{events, steer, streams};
use crate::signal::Signal;

impl Store {
    /// Send messages, all or none.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if one of the runs is not there.
    pub async fn send(&self, mut messages: Vec<NewMessage>) -> Result<Sent, Error> {
        if messages.is_empty() {
            return Ok(Sent::default());
        }
        for message in &mut messages {
            message.body = self.sealer.seal(&message.body, Payload::Message)?;
        }
        let (messages, now) = (Arc::new(messages), self.clock.now());
        let sent = self
            .write(move |tx| {
                let messages = messages.clone();
                Box::pin(async move { messages::send(tx, &messages, now).await })
            })
            .await?;
        self.tell_sent(&sent);
        Ok(sent)
    }

    fn tell_sent(&self, sent: &Sent) {
        if !sent.owned.is_empty() {
            self.tell(Signal::Sent(sent.owned.clone()));
        }
        if sent.woke {
            self.tell(Signal::Ready);
        }
    }

    /// What was sent to these runs and not consumed yet, the oldest of each topic first.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn unconsumed(&self, keys: Vec<RunKey>) -> Result<Vec<(RunKey, Message)>, Error> {
        let keys = Arc::new(keys);
        let found = self.read(move |tx| {
            let keys = keys.clone();
            Box::pin(async move { messages::unconsumed(tx, &keys).await })
        });
        let mut found = found.await?;
        found.iter_mut().for_each(|(_, message)| self.sealer.open_message(message));
        Ok(found)
    }

    /// The latest value of an event, if it was ever set.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn event(&self, run: RunKey, key: &str) -> Result<Option<Json>, Error> {
        let key = Arc::<str>::from(key);
        let value = self.read(move |tx| {
            let key = key.clone();
            Box::pin(async move { events::get(tx, run, &key).await })
        });
        value.await?.map(|value| self.sealer.open(&value, Payload::Event)).transpose()
    }

    /// The latest value of every event of a run, by key.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn events(&self, run: RunKey) -> Result<Vec<EventRecord>, Error> {
        let mut events = self.read(move |tx| Box::pin(events::of_run(tx, run))).await?;
        events.iter_mut().for_each(|event| self.sealer.show(&mut event.value, Payload::Event));
        Ok(events)
    }

    /// Up to `limit` chunks of a stream from an index on.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if the run is gone, [`Code::Decode`](onward_types::Code::Decode)
    /// where the first of them cannot be decoded.
    pub async fn chunks(&self, run: RunKey, stream: &str, from: i64, limit: u32) -> Result<Chunks, Error> {
        let stream = Arc::<str>::from(stream);
        let found = self.read(move |tx| {
            let stream = stream.clone();
            Box::pin(async move { streams::read(tx, run, &stream, from, limit).await })
        });
        let found = found.await?.ok_or_else(|| steer::unknown(&RunId::of_key(run)).error)?;
        self.sealer.open_chunks(found)
    }

    /// The streams of a run, by key.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn streams(&self, run: RunKey) -> Result<Vec<StreamInfo>, Error> {
        self.read(move |tx| Box::pin(streams::of_run(tx, run))).await
    }
}
