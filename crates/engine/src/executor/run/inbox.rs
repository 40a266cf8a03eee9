//! The messages of a run that are in memory, until a call takes them or all calls refuse them.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use onward_store::{Message, UNCONSUMED_MAX};
use onward_types::{Error, Json};

#[derive(Default)]
pub(crate) struct Inbox {
    topics: BTreeMap<Arc<str>, Topic>,
    /// Taken messages, each with the number of the change that consumes it: until that change is durable, a read still finds
    /// the message.
    taken: BTreeMap<i64, u64>,
}

#[derive(Default)]
struct Topic {
    /// Messages that were not taken, by place.
    waiting: BTreeMap<i64, Waiting>,
    /// The number of the last message that was read.
    seen: i64,
    /// Whether the last read returned a full page.
    has_more: bool,
    /// Whether refused messages have to be read again, for a call that may take them. Until then nothing is taken.
    is_stale: bool,
    /// The types for which some message was refused.
    refused_for: Vec<TypeId>,
}

struct Waiting {
    seq: i64,
    body: Result<Json, Error>,
    /// The reason, if it was refused before.
    refused: Option<String>,
    /// For each type that was tried: whether the message fits it, or why not.
    verdicts: Vec<(TypeId, Result<(), String>)>,
}

impl Waiting {
    fn verdict(&self, of: TypeId) -> Option<&Result<(), String>> {
        self.verdicts.iter().find(|(judged, _)| *judged == of).map(|(_, verdict)| verdict)
    }
}

/// A message that has to be matched against a type.
#[derive(Debug)]
pub(crate) struct Unjudged {
    place: i64,
    seq: i64,
    pub(crate) body: Result<Json, Error>,
}

/// A message that fits no call, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct Misfit {
    pub(crate) seq: i64,
    pub(crate) why: String,
    /// Whether it was refused before for the same reason.
    pub(crate) is_known: bool,
}

/// The message for a call, if any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum There {
    Nothing,
    /// The message at this place, if it fits the type.
    Unjudged(i64),
    /// The message at this place.
    Fits(i64),
}

impl Inbox {
    pub(crate) fn of(messages: Vec<Message>) -> Inbox {
        let mut inbox = Inbox::default();
        inbox.put(messages);
        // If a page is full, there may be more.
        for topic in inbox.topics.values_mut() {
            topic.has_more = topic.waiting.len() >= UNCONSUMED_MAX as usize;
        }
        inbox
    }

    /// Adds the result of a read of these topics, each after a message number. When the read began, the first `durable` changes
    /// of the run were durable. Reads of one run do not overlap, so no later read finds a message whose consumption was durable
    /// by then.
    pub(crate) fn read(&mut self, read: &[(Arc<str>, i64)], mut messages: Vec<Message>, durable: u64) {
        for (topic, after) in read {
            let found = messages.iter().filter(|message| message.topic == *topic).count();
            let Some(of_topic) = self.topics.get_mut(topic) else { continue };
            if of_topic.is_stale && *after > 0 {
                // This read began before the refused messages were due to be read again.
                messages.retain(|message| message.topic != *topic);
                continue;
            }
            of_topic.is_stale = false;
            of_topic.has_more = found >= UNCONSUMED_MAX as usize;
        }
        self.put(messages);
        self.taken.retain(|_, said_by| *said_by > durable);
    }

    fn put(&mut self, messages: Vec<Message>) {
        for Message { seq, place, topic, body, refused } in messages {
            let of_topic = self.topics.entry(topic).or_default();
            of_topic.seen = of_topic.seen.max(seq);
            if !self.taken.contains_key(&seq) {
                of_topic.waiting.insert(place, Waiting { seq, body, refused, verdicts: Vec::new() });
            }
        }
    }

    /// A call starts to take messages of a type. Messages that were refused for other types may fit it.
    pub(crate) fn begin(&mut self, topic: &Arc<str>, of: TypeId) {
        if let Some(topic) = self.topics.get_mut(topic)
            && !topic.refused_for.is_empty()
            && !topic.refused_for.contains(&of)
        {
            topic.refused_for.clear();
            topic.is_stale = true;
            topic.seen = 0;
        }
    }

    /// The number of the last message of a topic that was read.
    pub(crate) fn seen(&self, topic: &str) -> i64 {
        self.topics.get(topic).map_or(0, |topic| topic.seen)
    }

    /// Whether a topic has more messages than were read.
    pub(crate) fn has_more(&self, topic: &str) -> bool {
        self.topics.get(topic).is_some_and(|topic| topic.has_more)
    }

    /// Assigns messages of a topic to calls that each take a type: each call gets the oldest message that fits its type and is
    /// not assigned to a call before it. Stops at the first message whose fit is not known.
    pub(crate) fn assign(&self, topic: &str, types: &[TypeId]) -> Vec<There> {
        let Some(topic) = self.topics.get(topic).filter(|topic| !topic.is_stale) else {
            return vec![There::Nothing; types.len()];
        };
        let mut assigned: Vec<There> = Vec::new();
        for of in types {
            let free = topic.waiting.iter().filter(|(place, _)| !assigned.contains(&There::Fits(**place)));
            let mut there = There::Nothing;
            for (place, waiting) in free {
                match waiting.verdict(*of) {
                    Some(Ok(())) => there = There::Fits(*place),
                    Some(Err(_)) => continue,
                    None => there = There::Unjudged(*place),
                }
                break;
            }
            let is_open = matches!(there, There::Unjudged(_));
            assigned.push(there);
            if is_open {
                break;
            }
        }
        assigned
    }

    /// The message at a place, to be judged.
    pub(crate) fn to_judge(&self, topic: &str, place: i64) -> Option<Unjudged> {
        let Waiting { seq, body, .. } = self.topics.get(topic)?.waiting.get(&place)?;
        Some(Unjudged { place, seq: *seq, body: body.clone() })
    }

    /// Stores whether a message fits a type.
    pub(crate) fn judged(&mut self, topic: &str, message: &Unjudged, of: TypeId, verdict: Result<(), String>) {
        let Some(topic) = self.topics.get_mut(topic) else { return };
        if let Some(waiting) = topic.waiting.get_mut(&message.place).filter(|there| there.seq == message.seq) {
            waiting.verdicts.push((of, verdict));
        }
    }

    /// Removes the messages that fit none of these types.
    pub(crate) fn misfits(&mut self, topic: &str, types: &[TypeId]) -> Vec<Misfit> {
        let Some(topic) = self.topics.get_mut(topic).filter(|topic| !topic.is_stale) else { return Vec::new() };
        let mut misfits = Vec::new();
        topic.waiting.retain(|_, waiting| {
            let fits = |of: &TypeId| waiting.verdict(*of).is_none_or(Result::is_ok);
            if types.is_empty() || types.iter().any(fits) {
                return true;
            }
            let verdicts = types.iter().filter_map(|of| waiting.verdict(*of)?.as_ref().err());
            let mut whys: Vec<&str> = verdicts.map(String::as_str).collect();
            whys.dedup();
            let why = whys.join("; ");
            let is_known = waiting.refused.as_ref() == Some(&why);
            misfits.push(Misfit { seq: waiting.seq, why, is_known });
            false
        });
        if !misfits.is_empty() {
            let new: Vec<TypeId> = types.iter().filter(|of| !topic.refused_for.contains(of)).copied().collect();
            topic.refused_for.extend(new);
        }
        misfits
    }

    /// Takes the message at a place; `said_by` is the number of the change that will consume it.
    pub(crate) fn take(&mut self, topic: &str, place: i64, said_by: u64) -> Option<(i64, Json)> {
        let waiting = self.topics.get_mut(topic)?.waiting.remove(&place)?;
        self.taken.insert(waiting.seq, said_by);
        waiting.body.ok().map(|body| (waiting.seq, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: i64) -> Message {
        Message { seq, place: seq, topic: "orders".into(), body: Ok(Json::null()), refused: None }
    }

    fn is(of: TypeId, fits: bool, inbox: &mut Inbox, place: i64) {
        let message = inbox.to_judge("orders", place).unwrap();
        inbox.judged("orders", &message, of, if fits { Ok(()) } else { Err("no".to_owned()) });
    }

    const NUMBER: TypeId = TypeId::of::<u32>();
    const TEXT: TypeId = TypeId::of::<String>();

    #[test]
    fn a_message_that_was_taken_is_not_found_again_before_that_is_durable() {
        let mut inbox = Inbox::of(vec![message(2), message(1)]);
        assert_eq!(inbox.take("orders", 1, 7).map(|(seq, _)| seq), Some(1));
        let orders = [(Arc::from("orders"), 0)];
        inbox.read(&orders, vec![message(1), message(2)], 6);
        assert_eq!(inbox.topics["orders"].waiting.len(), 1);
        // The next read began after the consumption was durable, so it cannot find the message any more.
        inbox.read(&orders, vec![message(2)], 7);
        assert!(inbox.taken.is_empty());
    }

    #[test]
    fn each_call_gets_the_oldest_message_of_its_type() {
        let mut inbox = Inbox::of(vec![message(1), message(2)]);
        assert_eq!(inbox.assign("orders", &[NUMBER, TEXT]), [There::Unjudged(1)]);
        is(NUMBER, false, &mut inbox, 1);
        is(NUMBER, true, &mut inbox, 2);
        is(TEXT, true, &mut inbox, 1);
        assert_eq!(inbox.assign("orders", &[NUMBER, TEXT]), [There::Fits(2), There::Fits(1)]);
        is(TEXT, true, &mut inbox, 2);
        assert_eq!(inbox.assign("orders", &[NUMBER, TEXT, TEXT]), [There::Fits(2), There::Fits(1), There::Nothing]);
        assert!(inbox.misfits("orders", &[NUMBER, TEXT]).is_empty());
    }

    #[test]
    fn what_fits_no_call_is_taken_out_and_read_again_for_a_call_of_another_type() {
        let mut inbox = Inbox::of(vec![message(1), message(2)]);
        is(NUMBER, false, &mut inbox, 1);
        let misfits = inbox.misfits("orders", &[NUMBER]);
        assert_eq!(misfits, [Misfit { seq: 1, why: "no".to_owned(), is_known: false }]);
        assert_eq!(inbox.assign("orders", &[NUMBER]), [There::Unjudged(2)], "what comes after it is not kept waiting");

        let orders: Arc<str> = "orders".into();
        inbox.begin(&orders, NUMBER);
        assert_eq!(inbox.seen("orders"), 2, "the same type would refuse it again");
        inbox.begin(&orders, TEXT);
        assert_eq!(inbox.seen("orders"), 0);
        assert_eq!(inbox.assign("orders", &[TEXT]), [There::Nothing], "the older one comes first");
        inbox.read(&[(orders.clone(), 2)], vec![message(3)], 0);
        assert_eq!(inbox.assign("orders", &[TEXT]), [There::Nothing], "that read had begun before");
        let again = Message { refused: Some("no".to_owned()), ..message(1) };
        inbox.read(&[(orders, 0)], vec![again, message(2)], 0);
        assert_eq!(inbox.assign("orders", &[TEXT]), [There::Unjudged(1)]);
        is(TEXT, false, &mut inbox, 1);
        assert!(inbox.misfits("orders", &[TEXT])[0].is_known);
    }
}
