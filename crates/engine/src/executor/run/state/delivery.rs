//! Delivery: completions reach the workflow one at a time, first those of the history, then those that happen.

use onward_store::{Change, Recorded};
use onward_types::{Code, Error, Json, StepKind, Timestamp};

use super::immediate::Immediate;
use super::{Outcome, Ready, ReadyKind, State};

impl State {
    /// Delivers the next completion, if there is one. Returns whether a call was woken.
    pub(crate) fn deliver(&mut self, now: Timestamp) -> bool {
        if self.halt.is_some() {
            return false;
        }
        if let Some(position) = self.order.front().copied() {
            return self.deliver_recorded(position);
        }
        if !self.live {
            return self.go_live();
        }
        if let Some(woken) = self.deliver_turn() {
            return woken;
        }
        while let Some(Ready { position, what, at }) = self.ready.pop_front() {
            let is_message_there = self.is_message_there(position);
            let Some(call) = self.calls.get_mut(&position) else { continue };
            let made = match what {
                ReadyKind::Made(made) => made,
                ReadyKind::Turn => {
                    self.give_turn(position);
                    return true;
                }
            };
            if is_message_there {
                // Its timeout had passed, but a message has arrived.
                call.is_ready = false;
                continue;
            }
            self.receivers.remove(&position);
            let (kind, name, started_at) = (call.kind, call.name.clone(), call.started_at);
            let has_wait = call.has_wait;
            let outcome = self.say_made(position, made, at);
            // What the workflow sees now is exactly what it will see on replay.
            let recorded = outcome.map_err(|error| error.to_json());
            let Some(outcome) = self.understood(position, kind, &name, &recorded) else { return false };
            let Some(call) = self.calls.get_mut(&position) else { continue };
            call.delivered = Some(outcome);
            call.waker.wake_by_ref();
            if has_wait {
                self.push(Change::CloseWait(position));
            }
            self.note_end(position);
            self.record(position, kind, name, recorded, started_at, at);
            self.immediate = Immediate::default();
            return true;
        }
        self.deliver_message(now)
    }

    /// The run is past its history and quiet: calls that waited for that may begin.
    fn go_live(&mut self) -> bool {
        if self.rehearsed {
            return false;
        }
        self.live = true;
        for call in self.calls.values() {
            call.waker.wake_by_ref();
        }
        true
    }

    fn deliver_recorded(&mut self, position: u32) -> bool {
        let Some(call) = self.calls.get(&position) else {
            let what = self.history.get(&position).map_or_else(String::new, |it| format!("{} `{}`", it.kind, it.name));
            let message = format!(
                "the run recorded {what} at position {position}, but the code did not make that call. Restore the call, then \
                 resume the run"
            );
            self.diverge(position, message);
            return false;
        };
        call.waker.wake_by_ref();
        let Some(outcome) = self.next_recorded(position) else { return false };
        self.immediate = Immediate::default();
        if let Some(call) = self.calls.get_mut(&position) {
            call.delivered = Some(outcome);
        }
        true
    }

    /// Takes the next completion out of the history. `None`: it cannot be read, and the run is halted.
    pub(super) fn next_recorded(&mut self, position: u32) -> Option<Outcome> {
        let Recorded { kind, name, result, .. } = self.history.remove(&position)?;
        self.order.pop_front();
        self.understood(position, kind, &name, &result)
    }

    /// A recorded result as the workflow sees it. `None`: it cannot be read, and the run is halted.
    pub(super) fn understood(
        &mut self,
        position: u32,
        kind: StepKind,
        name: &str,
        result: &Result<Json, Json>,
    ) -> Option<Outcome> {
        let why = match result {
            Ok(value) => return Some(Ok(value.clone())),
            Err(json) => match Error::from_json(json) {
                Ok(error) if error.kind() == Code::Unknown => format!(
                    "an error with code `{}` ({error}), which this version of Onward does not know. Resume the run on the \
                     version that recorded it, or a newer one",
                    error.code()
                ),
                Ok(error) => return Some(Err(error)),
                Err(why) => format!("an error that cannot be read: {why}"),
            },
        };
        let message = format!("at position {position}, {kind} `{name}` recorded {why}");
        self.halt(Error::new(Code::Decode, message));
        None
    }
}
