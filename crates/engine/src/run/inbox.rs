//! What was sent to a run and is in memory, until one of its calls takes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use onward_store::Message;
use onward_types::{Error, Json};

#[derive(Default)]
pub(crate) struct Inbox {
    /// Not taken, by topic, the oldest first.
    waiting: HashMap<Arc<str>, BTreeMap<i64, Result<Json, Error>>>,
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

    /// Take the oldest message of a topic; `said_by` is the number of the change that will say so. One that cannot be decoded
    /// stays where it is.
    pub(crate) fn take(&mut self, topic: &str, said_by: u64) -> Result<Option<(i64, Json)>, Error> {
        let Some(of_topic) = self.waiting.get_mut(topic) else { return Ok(None) };
        let Some(oldest) = of_topic.first_entry() else { return Ok(None) };
        if let Err(error) = oldest.get() {
            return Err(error.clone());
        }
        let (seq, body) = oldest.remove_entry();
        if of_topic.is_empty() {
            self.waiting.remove(topic);
        }
        self.taken.insert(seq, said_by);
        body.map(|body| Some((seq, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: i64) -> Message {
        Message { seq, topic: "orders".into(), body: Ok(Json::null()) }
    }

    #[test]
    fn a_message_that_was_taken_is_not_found_again_before_that_is_durable() {
        let mut inbox = Inbox::of(vec![message(2), message(1)]);
        assert_eq!(inbox.take("orders", 7).unwrap().map(|(seq, _)| seq), Some(1));
        inbox.put(vec![message(1), message(2)], 6);
        assert_eq!(inbox.count("orders"), 1);
        // The read after this one began when the taking was durable, so it cannot find the message any more.
        inbox.put(vec![message(2)], 7);
        assert!(inbox.taken.is_empty());
    }
    #[test]
    fn a_message_that_cannot_be_decoded_is_never_taken() {
        let unreadable = Message { body: Err(Error::new(onward_types::Code::Decode, "no key")), ..message(1) };
        let mut inbox = Inbox::of(vec![unreadable, message(2)]);
        assert!(inbox.take("orders", 7).is_err() && inbox.take("orders", 7).is_err());
        assert_eq!((inbox.count("orders"), inbox.taken.len()), (2, 0));
    }
}
