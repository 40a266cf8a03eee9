//! Messages: which call takes which, in the order of arrival, and what happens to those that fit none.

use std::any::TypeId;
use std::sync::Arc;

use onward_store::{Change, Message, Wanted};
use onward_types::{Json, RunKey, Timestamp};

use super::State;
use crate::data::Data;
use crate::executor::run::inbox::{There, Unjudged};
use crate::executor::run::judge::fits;

/// A call that takes messages.
#[derive(Clone)]
pub(super) struct Receiver {
    topic: Arc<str>,
    takes: Takes,
}

/// The type that a call takes.
#[derive(Clone, Copy)]
pub(crate) struct Takes {
    /// Values of this type.
    of: TypeId,
    /// Whether a message can be decoded into one. This runs user code.
    fits: fn(&Json) -> Result<(), String>,
}

impl Takes {
    /// Messages that can be decoded into a `T`.
    pub(crate) fn new<T: Data>() -> Takes {
        Takes { of: TypeId::of::<T>(), fits: fits::<T> }
    }
}

/// A message, and the call that may take it.
pub(crate) struct Candidate {
    topic: Arc<str>,
    pub(crate) message: Unjudged,
    of: TypeId,
    pub(crate) fits: fn(&Json) -> Result<(), String>,
}

impl State {
    /// The first call takes the oldest message of its topic that fits it.
    pub(super) fn deliver_message(&mut self, now: Timestamp) -> bool {
        let found = self.topics_of_receivers().into_iter().find_map(|topic| {
            let positions = self.receivers_of(&topic);
            let there = self.inbox.assign(&topic, &positions.iter().map(|(_, takes)| takes.of).collect::<Vec<_>>());
            let fits = positions.iter().zip(there).find_map(|((position, _), there)| match there {
                There::Fits(place) => Some((*position, place)),
                There::Unjudged(_) | There::Nothing => None,
            });
            fits.map(|(position, place)| (position, topic, place))
        });
        let Some((position, topic, place)) = found else { return false };
        self.receivers.remove(&position);
        let Some(call) = self.calls.get_mut(&position) else { return true };
        let (kind, name, started_at, has_wait) = (call.kind, call.name.clone(), call.started_at, call.has_wait);
        let waker = call.waker.clone();
        let said_by = self.made + 1 + u64::from(has_wait);
        let Some((seq, body)) = self.inbox.take(&topic, place, said_by) else { return true };
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
        // Calls that had this message assigned have to look for another one.
        self.wake_receivers(&topic);
        true
    }

    /// The topics of calls that take messages, in the order of the calls.
    fn topics_of_receivers(&self) -> Vec<Arc<str>> {
        let mut topics: Vec<Arc<str>> = Vec::new();
        for Receiver { topic, .. } in self.receivers.values() {
            if !topics.contains(topic) {
                topics.push(topic.clone());
            }
        }
        topics
    }

    /// The calls that take messages of a topic, in their order.
    fn receivers_of(&self, topic: &str) -> Vec<(u32, Takes)> {
        let of_topic = self.receivers.iter().filter(|(_, receiver)| &*receiver.topic == topic);
        of_topic.map(|(position, receiver)| (*position, receiver.takes)).collect()
    }

    fn wake_receivers(&self, topic: &str) {
        for (position, _) in self.receivers_of(topic) {
            if let Some(call) = self.calls.get(&position) {
                call.waker.wake_by_ref();
            }
        }
    }

    /// The call at this position takes the next message of a topic that fits it.
    pub(crate) fn receive(&mut self, position: u32, topic: &Arc<str>, takes: Takes) {
        self.inbox.begin(topic, takes.of);
        self.receivers.insert(position, Receiver { topic: topic.clone(), takes });
    }

    /// Whether there is a message for this call, or one that may fit it.
    pub(crate) fn is_message_there(&self, position: u32) -> bool {
        let Some(Receiver { topic, .. }) = self.receivers.get(&position) else { return false };
        let receivers = self.receivers_of(topic);
        let there = self.inbox.assign(topic, &receivers.iter().map(|(_, takes)| takes.of).collect::<Vec<_>>());
        let of_call = receivers.iter().position(|(other, _)| *other == position).and_then(|at| there.get(at));
        // While the message of a call before it is not known, it is not known what is left for this one.
        of_call.is_none_or(|there| *there != There::Nothing)
    }

    /// Whether a topic may have more messages than were read.
    pub(crate) fn has_more(&self, topic: &str) -> bool {
        self.inbox.has_more(topic)
    }

    /// A message that has to be matched against the type of a call, if there is one.
    pub(crate) fn candidate(&self) -> Option<Candidate> {
        if self.receivers.is_empty() {
            return None;
        }
        self.topics_of_receivers().into_iter().find_map(|topic| {
            let receivers = self.receivers_of(&topic);
            let there = self.inbox.assign(&topic, &receivers.iter().map(|(_, takes)| takes.of).collect::<Vec<_>>());
            let (takes, place) = receivers.iter().zip(there).find_map(|((_, takes), there)| match there {
                There::Unjudged(place) => Some((*takes, place)),
                There::Fits(_) | There::Nothing => None,
            })?;
            let message = self.inbox.to_judge(&topic, place)?;
            Some(Candidate { topic, message, of: takes.of, fits: takes.fits })
        })
    }

    /// Stores whether the message fits.
    pub(crate) fn judged(&mut self, candidate: &Candidate, verdict: Result<(), String>) {
        self.inbox.judged(&candidate.topic, &candidate.message, candidate.of, verdict);
    }

    /// Refuses the messages that fit no waiting call.
    pub(crate) fn refuse_misfits(&mut self, now: Timestamp) {
        for topic in self.topics_of_receivers() {
            let types: Vec<TypeId> = self.receivers_of(&topic).iter().map(|(_, takes)| takes.of).collect();
            let misfits = self.inbox.misfits(&topic, &types);
            let any = !misfits.is_empty();
            for misfit in misfits.into_iter().filter(|misfit| !misfit.is_known) {
                self.push(Change::Refuse { seq: misfit.seq, said: misfit.why, at: now });
            }
            if any {
                // They had this message assigned.
                self.wake_receivers(&topic);
            }
        }
    }

    /// Whether a call waits for a message.
    pub(crate) fn waits_for_messages(&self) -> bool {
        !self.receivers.is_empty()
    }

    /// The reads that the calls of the run `run` need.
    pub(crate) fn wanted_messages(&self, run: RunKey) -> Vec<Wanted> {
        let topics = self.topics_of_receivers().into_iter();
        topics.map(|topic| Wanted { run, after: self.inbox.seen(&topic), topic }).collect()
    }

    /// Adds the result of a read of these topics, each after a message number. When it began, the first `durable` changes were
    /// durable.
    pub(crate) fn put_messages(&mut self, read: &[(Arc<str>, i64)], messages: Vec<Message>, durable: u64) {
        self.inbox.read(read, messages, durable);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use onward_types::StepKind;

    use super::super::Polled;
    use super::*;

    fn message() -> Message {
        Message { seq: 1, place: 1, topic: "n".into(), body: Ok(Json::from("7".to_owned())), refused: None }
    }

    fn polls(state: &mut State, position: u32) -> Polled {
        state.poll_call(position, StepKind::Recv, &"n".into(), Waker::noop(), Timestamp::UNIX_EPOCH)
    }

    /// A run that takes a number, with one that is there.
    fn receives() -> State {
        let mut state = State::fresh();
        state.put_messages(&[], vec![message()], 0);
        assert!(matches!(polls(&mut state, 0), Polled::Live));
        state.receive(0, &"n".into(), Takes::new::<u32>());
        let candidate = state.candidate().expect("nobody knows whether it fits");
        state.judged(&candidate, Ok(()));
        state
    }

    #[test]
    fn a_message_that_is_there_when_the_time_is_up_is_taken() {
        let mut state = receives();
        state.complete(0, Ok(Json::null()), Timestamp::UNIX_EPOCH);
        assert!(state.deliver(Timestamp::UNIX_EPOCH));
        let Polled::Done(Ok(taken)) = polls(&mut state, 0) else { panic!("it was delivered") };
        assert_eq!(taken.as_str(), "7");
    }

    #[test]
    fn a_message_that_was_taken_is_there_for_no_other_call_however_often_it_is_read_before_that_is_durable() {
        let mut state = receives();
        assert!(state.deliver(Timestamp::UNIX_EPOCH));
        assert!(matches!(polls(&mut state, 1), Polled::Live));
        state.receive(1, &"n".into(), Takes::new::<u32>());
        for _ in 0..2 {
            state.put_messages(&[("n".into(), 0)], vec![message()], 0);
            assert!(!state.is_message_there(1));
        }
    }
}
