//! What the run says to the world: events and streams.

use onward_types::{Error, Json, Timestamp};

use super::{Made, Outcome, Said, State};

impl State {
    pub(super) fn say_made(&mut self, position: u32, made: Made, at: Timestamp) -> Outcome {
        match made {
            Made::Outcome(outcome) => outcome,
            Made::Said(said) => self.say(position, 0, said, at).map(|()| Json::null()),
        }
    }

    /// Say something, in this attempt of the step at this position; in attempt 0 it is the workflow that does.
    pub(crate) fn say(&mut self, position: u32, attempt: u32, said: Said, at: Timestamp) -> Result<(), Error> {
        if let Some(change) = self.tails.change(position, attempt, said, at)? {
            self.push(change);
            let first = self.untold.map_or(self.made, |(first, _)| first);
            self.untold = Some((first, self.made));
        }
        Ok(())
    }

    /// Whether something that was said became durable with these changes, of which nobody was told.
    pub(crate) fn take_untold(&mut self, durable: u64) -> bool {
        match self.untold {
            Some((first, last)) if first <= durable => {
                self.untold = (last > durable).then_some((durable + 1, last));
                true
            }
            _ => false,
        }
    }
}
