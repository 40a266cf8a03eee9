//! Every record leaves a client through this file: the fields that its mask names are hidden here, and nowhere else.
//!
//! A call that returns a record ends in [`Client::shown`]. Calls that return a typed value (`result`, `event`, the values of a
//! stream) return it unmasked.

use onward_types::{
    Chunk, ChunkBody, EventRecord, HookRecord, MessageRecord, Page, RunRecord, ScheduleRecord, StepRecord, StreamRecord,
};

use super::Client;
use super::mask::Mask;

/// A record whose fields a client can hide.
pub(crate) trait Shown {
    fn hide(&mut self, mask: &Mask);
}

impl Client {
    /// The records with the fields of the mask hidden.
    pub(crate) fn shown<T: Shown>(&self, mut records: T) -> T {
        records.hide(&self.mask);
        records
    }
}

impl Shown for RunRecord {
    fn hide(&mut self, mask: &Mask) {
        let payloads = self.input.iter_mut().chain(&mut self.output).chain(&mut self.attributes);
        payloads.for_each(|json| mask.hide(json));
        mask.hide_in_error(&mut self.error);
    }
}

impl Shown for StepRecord {
    fn hide(&mut self, mask: &Mask) {
        self.output.iter_mut().chain(&mut self.notes).for_each(|json| mask.hide(json));
        mask.hide_in_error(&mut self.error);
        for attempt in &mut self.attempts {
            mask.hide_in_error(&mut attempt.error);
            attempt.notes.iter_mut().for_each(|json| mask.hide(json));
            attempt.heartbeat.iter_mut().for_each(|heartbeat| mask.hide(&mut heartbeat.progress));
        }
    }
}

impl Shown for ScheduleRecord {
    fn hide(&mut self, mask: &Mask) {
        self.options.attributes.iter_mut().for_each(|json| mask.hide(json));
    }
}

impl Shown for EventRecord {
    fn hide(&mut self, mask: &Mask) {
        mask.hide(&mut self.value);
    }
}

impl Shown for MessageRecord {
    fn hide(&mut self, mask: &Mask) {
        mask.hide(&mut self.body);
    }
}

impl Shown for Chunk {
    fn hide(&mut self, mask: &Mask) {
        if let ChunkBody::Json(json) = &mut self.body {
            mask.hide(json);
        }
    }
}

/// Contains only names and times.
impl Shown for HookRecord {
    fn hide(&mut self, _: &Mask) {}
}

/// Contains only names and numbers.
impl Shown for StreamRecord {
    fn hide(&mut self, _: &Mask) {}
}

impl<T: Shown> Shown for Vec<T> {
    fn hide(&mut self, mask: &Mask) {
        self.iter_mut().for_each(|record| record.hide(mask));
    }
}

impl<T: Shown> Shown for Page<T> {
    fn hide(&mut self, mask: &Mask) {
        self.items.hide(mask);
    }
}
