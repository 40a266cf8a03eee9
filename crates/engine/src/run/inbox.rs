//! What was sent to a run and is in memory, until one of its calls takes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use onward_store::Message;
use onward_types::Json;

#[derive(Default)]
pub(crate) struct Inbox {
    /// Not taken, by topic, the oldest first.
    waiting: HashMap<Arc<str>, BTreeMap<i64, Json>>,
    /// Taken, each with the number of the change that says so: until that is durable, a read still finds the message.
    taken: BTreeMap<i64, u64>,
}

impl Inbox {
    pub(crate) fn of(messages: Vec<Message>) -> Inbox {
        let mut inbox = Inbox::default();
        inbox.put(messages, 0);
        inbox
    }

    /// Put in what a read found that began when the first `durable` changes of the run were durable. Reads of one run do not
    /// overlap, so whatever was durable then is found by no later read either.
    pub(crate) fn put(&mut self, messages: Vec<Message>, durable: u64) {
        for Message { seq, topic, body } in messages {
            if !self.taken.contains_key(&seq) {
                self.waiting.entry(topic).or_default().insert(seq, body);
            }
        }
        self.taken.retain(|_, said_by| *said_by > durable);
    }

    /// How many messages of a topic are there.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.waiting.get(topic).map_or(0, BTreeMap::len)
    }

    /// Take the oldest message of a topic; `said_by` is the number of the change that will say so.
    pub(crate) fn take(&mut self, topic: &str, said_by: u64) -> Option<(i64, Json)> {
        let of_topic = self.waiting.get_mut(topic)?;
        let oldest = of_topic.pop_first();
        if of_topic.is_empty() {
            self.waiting.remove(topic);
        }
        let (seq, body) = oldest?;
        self.taken.insert(seq, said_by);
        Some((seq, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: i64) -> Message {
        Message { seq, topic: "orders".into(), body: Json::null() }
    }

    #[test]
    fn a_message_that_was_taken_is_not_found_again_before_that_is_durable() {
        let mut inbox = Inbox::of(vec![message(2), message(1)]);
        assert_eq!(inbox.take("orders", 7).map(|(seq, _)| seq), Some(1));
        inbox.put(vec![message(1), message(2)], 6);
        assert_eq!(inbox.count("orders"), 1);
        // The read after this one began when the taking was durable, so it cannot find the message any more.
        inbox.put(vec![message(2)], 7);
        assert!(inbox.taken.is_empty());
    }
}
