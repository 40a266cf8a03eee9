//! The limits of queues that this executor has declared, to declare them again when other executors come and go.

use std::collections::BTreeMap;
use std::sync::Mutex;

use onward_store::QueueChange;

use crate::sync::lock;

#[derive(Default)]
pub(crate) struct Declared(Mutex<BTreeMap<String, QueueChange>>);

impl Declared {
    /// Limits were declared.
    pub(crate) fn add(&self, queue: String, change: QueueChange) {
        lock(&self.0).entry(queue).or_default().add(change);
    }

    /// The queue was deleted.
    pub(crate) fn forget(&self, queue: &str) {
        lock(&self.0).remove(queue);
    }

    /// Everything that was declared, by queue.
    pub(crate) fn all(&self) -> Vec<(String, QueueChange)> {
        lock(&self.0).iter().map(|(queue, change)| (queue.clone(), *change)).collect()
    }
}
