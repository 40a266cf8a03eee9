//! What runs want from the outside world, over all runs.

use onward_types::{Error, HookFilter, InboxFilter, InboxItem, OpenHookRecord, Page};

use super::Store;
use crate::ops::{open_hooks, people};

impl Store {
    /// A page of the calls that wait for a person.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for a cursor of another list, or for two, or if the database cannot be
    /// reached.
    pub async fn inbox(&self, filter: InboxFilter) -> Result<Page<InboxItem>, Error> {
        let given = (filter, self.clock.now());
        self.read("people.inbox", given, |tx, (filter, now)| Box::pin(people::inbox(tx, filter, *now))).await
    }

    /// A page of open hooks.
    ///
    /// # Errors
    /// See [`inbox`](Store::inbox).
    pub async fn open_hooks(&self, filter: HookFilter) -> Result<Page<OpenHookRecord>, Error> {
        self.read("hooks.open_ones", filter, |tx, filter| Box::pin(open_hooks::list(tx, filter))).await
    }
}
