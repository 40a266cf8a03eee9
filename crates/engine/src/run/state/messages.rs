//! Messages: which call takes which, in the order of their arrival.

use std::sync::Arc;

use onward_store::{Change, Message};
use onward_types::Timestamp;

use super::State;

impl State {
    /// The call that comes first takes the oldest message of its topic.
    pub(super) fn deliver_message(&mut self, now: Timestamp) -> bool {
        let first = self.receivers.iter().find(|(_, topic)| self.inbox.count(topic) > 0);
        let Some((position, topic)) = first.map(|(position, topic)| (*position, topic.clone())) else { return false };
        self.receivers.remove(&position);
        let Some(call) = self.calls.get_mut(&position) else { return true };
        let (kind, name, started_at, has_wait) = (call.kind, call.name.clone(), call.started_at, call.has_wait);
        let waker = call.waker.clone();
        let said_by = self.made + 1 + u64::from(has_wait);
        let (seq, body) = match self.inbox.take(&topic, said_by) {
            Ok(Some(message)) => message,
            Ok(None) => return true,
            Err(why) => {
                self.halt(why);
                return false;
            }
        };
        if has_wait {
            self.push(Change::CloseWait(position));
        }
        self.push(Change::Consume { seq, position });
        if let Some(call) = self.calls.get_mut(&position) {
            call.delivered = Some(Ok(body.clone()));
        }
        self.record(position, kind, name, Ok(body), started_at, now);
        self.immediate = super::Immediate::default();
        waker.wake();
        // Whoever counted on this message has to look for another one.
        for (other, _) in self.receivers.iter().filter(|(_, of)| **of == topic) {
            if let Some(call) = self.calls.get(other) {
                call.waker.wake_by_ref();
            }
        }
        true
    }

    /// The call at this position takes the next message of a topic.
    pub(crate) fn receive(&mut self, position: u32, topic: &Arc<str>) {
        self.receivers.insert(position, topic.clone());
    }

    /// Whether there is a message for this call, and one for each call before it that takes messages of its topic.
    pub(crate) fn is_message_there(&self, position: u32) -> bool {
        let Some(topic) = self.receivers.get(&position) else { return false };
        let before = self.receivers.range(..position).filter(|(_, of)| *of == topic).count();
        self.inbox.count(topic) > before
    }

    /// Whether some call waits for a message that is not there.
    pub(crate) fn waits_for_messages(&self) -> bool {
        !self.receivers.is_empty()
    }

    /// Put in what a read found that began when so many changes were durable.
    pub(crate) fn put_messages(&mut self, messages: Vec<Message>, durable: u64) {
        self.inbox.put(messages, durable);
    }
}
