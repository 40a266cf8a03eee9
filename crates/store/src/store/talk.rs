//! How runs communicate: messages, hooks, events and streams.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use onward_types::{
    Error, EventRecord, HookRecord, Json, MessageFilter, MessageRecord, Page, PersonRequest, Resumed, RunId, RunKey,
    Sent, StreamRecord,
};

use super::Store;
use crate::codec::Payload;
use crate::ops::hooks::{self, HookPayload, NewHook, StoredHook};
use crate::ops::known::Known;
use crate::ops::messages::{self, NewMessage, Outgoing, Reached, Wanted};
use crate::ops::{events, mailbox, runs, steer, streams};
use crate::records::{Chunks, Message};
use crate::signal::Signal;

/// The recorded result of a call that opens a hook.
#[derive(serde::Deserialize)]
struct Opened {
    token: String,
    #[serde(default)]
    person: Option<PersonRequest>,
}

impl Store {
    /// Send messages, all or none. Each must fit what its run waits for, as far as that is known.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if one of the runs does not exist,
    /// [`Code::Invalid`](onward_types::Code::Invalid) if one of the messages does not fit.
    pub async fn send(&self, messages: Vec<NewMessage>) -> Result<Vec<Sent>, Error> {
        let outgoing = messages.into_iter().map(|message| Outgoing { plain: Some(message.body.clone()), message });
        self.send_all(outgoing.collect()).await
    }

    /// Send messages, all or none, without checking them: a run refuses a message that does not fit, and it is kept.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if one of the runs does not exist.
    pub async fn send_unchecked(&self, messages: Vec<NewMessage>) -> Result<Vec<Sent>, Error> {
        let outgoing = messages.into_iter().map(|message| Outgoing { plain: None, message });
        self.send_all(outgoing.collect()).await
    }

    async fn send_all(&self, mut outgoing: Vec<Outgoing>) -> Result<Vec<Sent>, Error> {
        if outgoing.is_empty() {
            return Ok(Vec::new());
        }
        for Outgoing { message, .. } in &mut outgoing {
            message.body = self.sealer.seal(&message.body, Payload::Message)?;
            message.key.get_or_insert_with(|| self.key_of_this_call());
        }
        let given = (outgoing, self.clock.now(), AtomicBool::new(false));
        let send = self.write("messages.send", given, |tx, (all, now, tried)| {
            Box::pin(messages::send(tx, all, *now, tried.swap(true, Relaxed)))
        });
        let (sent, reached) = send.await?;
        self.tell_sent(&reached);
        Ok(sent)
    }

    /// The answer to a commit may be lost; then the same messages are sent again, and the key identifies the duplicates.
    fn key_of_this_call(&self) -> String {
        format!("onward:{}", self.clock.uuid().simple())
    }

    pub(super) fn tell_sent(&self, reached: &Reached) {
        if !reached.owned.is_empty() {
            self.tell(Signal::Sent(reached.owned.clone()));
        }
        if reached.woke {
            self.tell(Signal::Ready);
        }
    }

    /// Messages on these topics that were not consumed yet, refused ones included: for each topic those after the last one
    /// read, at most [`UNCONSUMED_MAX`](crate::UNCONSUMED_MAX).
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn unconsumed(&self, wanted: Vec<Wanted>) -> Result<Vec<(RunKey, Message)>, Error> {
        let found = self.read("messages.unconsumed", wanted, |tx, wanted| Box::pin(messages::unconsumed(tx, wanted)));
        let mut found = found.await?;
        found.iter_mut().for_each(|(_, message)| self.sealer.open_message(message));
        Ok(found)
    }

    /// The messages of a run that match a filter, in order.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn messages(&self, id: &RunId, filter: MessageFilter) -> Result<Page<MessageRecord>, Error> {
        let given = (self.find(id).await?.key, filter);
        let found = self.read("messages.page", given, |tx, (run, filter)| Box::pin(mailbox::page(tx, *run, filter)));
        let mut page = found.await?;
        page.items.iter_mut().for_each(|message| self.sealer.show(&mut message.body, Payload::Message));
        Ok(page)
    }

    /// Delete a message that no call has taken. While an executor owns the run, only a refused message can be deleted.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) or [`Code::UnknownMessage`](onward_types::Code::UnknownMessage) if
    /// the run or the message does not exist, [`Code::MessageTaken`](onward_types::Code::MessageTaken) if the message was taken, or
    /// might be taken right now.
    pub async fn delete_message(&self, id: &RunId, seq: i64) -> Result<(), Error> {
        let given = (id.clone(), seq);
        self.write("messages.delete", given, |tx, (id, seq)| Box::pin(mailbox::delete(tx, id, *seq))).await
    }

    /// Replace a message that no call has taken. The new message keeps the key; returns its number.
    ///
    /// # Errors
    /// As [`delete_message`](Store::delete_message), and as [`send`](Store::send) if it does not fit.
    pub async fn replace_message(&self, id: &RunId, seq: i64, plain: Json) -> Result<i64, Error> {
        let body = self.sealer.seal(&plain, Payload::Message)?;
        let (given, now) = ((id.clone(), body, plain), self.clock.now());
        let replace = self.write("messages.replace", given, move |tx, (id, body, plain)| {
            Box::pin(mailbox::replace(tx, id, seq, body, plain, now))
        });
        let (seq, reached) = replace.await?;
        self.tell_sent(&reached);
        Ok(seq)
    }

    /// Wake parked runs of these workflows that wait for messages and have refused some, since the current executors may run
    /// other code. Wakes up to `limit` runs after the run `after`. Returns the last one woken if there may be more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn look_at_refused(
        &self,
        known: Arc<Known>,
        after: Option<RunKey>,
        limit: u32,
    ) -> Result<Option<RunKey>, Error> {
        let now = self.clock.now();
        let woken = self.write("messages.look_at_refused", known, move |tx, known| {
            Box::pin(runs::look_again(tx, known.claimable(), after, limit, now))
        });
        let woken = woken.await?;
        if !woken.is_empty() {
            self.tell(Signal::Ready);
        }
        Ok(woken.last().copied().filter(|_| woken.len() >= limit as usize))
    }

    /// Open a hook and return its token. If the call opened a hook before a crash, that one's token is returned.
    ///
    /// # Errors
    /// [`Code::TokenTaken`](onward_types::Code::TokenTaken) if the token belongs to a run that has not ended.
    pub async fn open_hook(&self, new: NewHook) -> Result<String, Error> {
        let given = (new, self.clock.now());
        self.write("hooks.open", given, |tx, (new, now)| Box::pin(hooks::open(tx, new, *now))).await
    }

    /// Send a payload to the hook with a token.
    ///
    /// # Errors
    /// [`Code::UnknownHook`](onward_types::Code::UnknownHook) if no hook has the token,
    /// [`Code::Gone`](onward_types::Code::Gone) if the hook's run has ended, [`Code::Invalid`](onward_types::Code::Invalid) if
    /// the payload does not fit what the hook takes, as far as that is known.
    pub async fn resume_hook(&self, mut payload: HookPayload) -> Result<Resumed, Error> {
        let plain = payload.body.clone();
        payload.body = self.sealer.seal(&plain, Payload::Message)?;
        payload.key.get_or_insert_with(|| self.key_of_this_call());
        let given = (payload, plain, self.clock.now(), AtomicBool::new(false));
        let resume = self.write("hooks.resume", given, |tx, (payload, plain, now, tried)| {
            Box::pin(hooks::resume(tx, payload, plain, *now, tried.swap(true, Relaxed)))
        });
        let (resumed, reached) = resume.await?;
        self.tell_sent(&reached);
        Ok(resumed)
    }

    /// The key of a run, and the latest value of one of its events. `None` if the run does not exist; the inner `None` if the
    /// event was never set.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if `key` is not a valid event key,
    /// [`Code::Decode`](onward_types::Code::Decode) if the value cannot be decoded, or if the database cannot be reached.
    pub async fn event_of(&self, run: &RunId, key: &str) -> Result<Option<(RunKey, Option<Json>)>, Error> {
        onward_types::check_name("key of an event", key)?;
        let given = (run.clone(), key.to_owned());
        let found = self.read("events.of_id", given, |tx, (run, key)| Box::pin(events::of_id(tx, run, key)));
        let Some((run, value)) = found.await? else { return Ok(None) };
        Ok(Some((run, value.map(|value| self.sealer.open(&value, Payload::Event)).transpose()?)))
    }

    /// The hooks of a run, closed ones included, in the order of the calls that opened them. If a token cannot be decoded, its
    /// stored form is returned instead.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn hooks(&self, id: &RunId) -> Result<Vec<HookRecord>, Error> {
        let run = self.find(id).await?.key;
        let hooks = self.read("hooks.of_run", run, |tx, run| Box::pin(hooks::of_run(tx, *run))).await?;
        Ok(hooks.into_iter().map(|hook| self.shown_hook(hook)).collect())
    }

    fn shown_hook(&self, hook: StoredHook) -> HookRecord {
        let StoredHook { position, opened_at, recorded, token, state, mut person } = hook;
        let recorded = recorded.map(|mut recorded| {
            self.sealer.show(&mut recorded, Payload::Checkpoint);
            match recorded.decode::<Opened>() {
                Ok(opened) => {
                    person = person.take().or(opened.person);
                    opened.token
                }
                Err(_) => recorded.to_string(),
            }
        });
        HookRecord { token: token.or(recorded).unwrap_or_default(), position, state, opened_at, person }
    }

    /// The latest value of each event of a run, ordered by key.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn events(&self, run: RunKey) -> Result<Vec<EventRecord>, Error> {
        let mut events = self.read("events.of_run", run, |tx, run| Box::pin(events::of_run(tx, *run))).await?;
        events.iter_mut().for_each(|event| self.sealer.show(&mut event.value, Payload::Event));
        Ok(events)
    }

    /// Up to `limit` chunks of a stream, from the index `from` on.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if `stream` is not a valid stream key,
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if the run does not exist any more,
    /// [`Code::Decode`](onward_types::Code::Decode) if the first chunk cannot be decoded.
    pub async fn chunks(&self, run: RunKey, stream: &str, from: i64, limit: u32) -> Result<Chunks, Error> {
        onward_types::check_name("key of a stream", stream)?;
        let found = self.read("streams.read", stream.to_owned(), move |tx, stream| {
            Box::pin(streams::read(tx, run, stream, from, limit))
        });
        let found = found.await?.ok_or_else(|| steer::unknown(&RunId::of_key(run)).error)?;
        self.sealer.open_chunks(found)
    }

    /// The streams of a run, ordered by key.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn streams(&self, run: RunKey) -> Result<Vec<StreamRecord>, Error> {
        self.read("streams.of_run", run, |tx, run| Box::pin(streams::of_run(tx, *run))).await
    }
}
