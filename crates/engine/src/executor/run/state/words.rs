//! What the run publishes: events and streams.

use onward_types::{Error, Json, Timestamp};

use super::{Made, Outcome, Said, State};

impl State {
    pub(super) fn say_made(&mut self, position: u32, made: Made, at: Timestamp) -> Outcome {
        match made {
            Made::Outcome(outcome) => outcome,
            Made::Said(said) => self.say(position, 0, said, at).map(|()| Json::null()),
        }
    }

    /// Publishes something in an attempt of the step at this position. Attempt 0 is the workflow itself.
    pub(crate) fn say(&mut self, position: u32, attempt: u32, said: Said, at: Timestamp) -> Result<(), Error> {
        if let Some(change) = self.tails.change(position, attempt, said, at)? {
            self.push(change);
            let first = self.unannounced.map_or(self.made, |(first, _)| first);
            self.unannounced = Some((first, self.made));
        }
        Ok(())
    }

    /// Whether these changes made something durable that was published and for which watchers were not notified yet.
    pub(crate) fn take_unannounced(&mut self, durable: u64) -> bool {
        match self.unannounced {
            Some((first, last)) if first <= durable => {
                self.unannounced = (last > durable).then_some((durable + 1, last));
                true
            }
            _ => false,
        }
    }
}
