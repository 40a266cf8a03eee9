//! Calls without work, such as a random number: they resolve at once, without a delivery, up to a budget.

use std::sync::Arc;
use std::task::Waker;

use onward_types::{StepKind, Timestamp};

use super::ahead::{BYTES_MAX, SMALL};
use super::{Made, Polled, State};

/// The maximum number of calls in a row that resolve immediately. The next one is delivered, and at a delivery a run that makes
/// changes faster than they become durable can be held back.
const IMMEDIATE_MAX: u32 = 128;

/// The calls that resolved immediately since the last delivery. It depends only on what the workflow publishes, so that a
/// replay counts the same.
#[derive(Default)]
pub(super) struct Immediate {
    calls: u32,
    bytes: usize,
}

impl Immediate {
    /// Whether a call that publishes this many bytes may resolve immediately.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        self.calls < IMMEDIATE_MAX && (bytes <= SMALL || self.bytes == 0 || self.bytes + bytes <= BYTES_MAX)
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.calls += 1;
        if bytes > SMALL {
            self.bytes += bytes;
        }
    }
}

impl State {
    /// Resolves a call without work that publishes this many bytes: immediately, if its turn has come.
    #[expect(clippy::too_many_arguments, reason = "a call, who polls it and what it makes")]
    pub(crate) fn immediate(
        &mut self,
        position: u32,
        kind: StepKind,
        name: &Arc<str>,
        waker: &Waker,
        now: Timestamp,
        bytes: usize,
        made: impl FnOnce() -> Made,
    ) -> Polled {
        // A call that was once deferred stays deferred, however often it is polled before its turn.
        let is_first = !self.calls.contains_key(&position);
        // A call without work does not wait for the run to become live: on the next replay it will resolve here too.
        let polled = match self.poll_call(position, kind, name, waker, now) {
            Polled::Wait if self.waits_for_live(position) => Polled::Live,
            polled => polled,
        };
        match polled {
            Polled::Live if self.immediate.takes(bytes) && self.turn.is_free() => {
                self.immediate.add(bytes);
                self.calls.remove(&position);
                let outcome = self.say_made(position, made(), now);
                let recorded = outcome.map_err(|error| error.to_json());
                let Some(outcome) = self.understood(position, kind, name, &recorded) else { return Polled::Wait };
                self.record(position, kind, name.clone(), recorded, now, now);
                Polled::Done(outcome)
            }
            Polled::Live => {
                self.complete_as(position, made(), now);
                Polled::Wait
            }
            Polled::Wait
                if is_first
                    && self.halt.is_none()
                    && self.order.front() == Some(&position)
                    && self.immediate.takes(bytes) =>
            {
                self.immediate.add(bytes);
                self.calls.remove(&position);
                match self.next_recorded(position) {
                    Some(outcome) => Polled::Done(outcome),
                    None => Polled::Wait,
                }
            }
            polled => polled,
        }
    }

    /// Whether the call waits only because the run is not live yet.
    fn waits_for_live(&self, position: u32) -> bool {
        let Some(call) = self.calls.get(&position) else { return false };
        let is_fresh = !call.is_ready && call.delivered.is_none();
        self.halt.is_none() && !self.live && self.order.is_empty() && is_fresh
    }
}
