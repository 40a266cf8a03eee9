//! What runs want from the outside world, over all runs.

use onward_types::{Error, HookFilter, InboxFilter, InboxItem, OpenHookRecord, Page};

use super::Client;

impl Client {
    /// What people have to do: every call of a running run that waits for a person, newest first unless the filter says
    /// otherwise. A workflow marks such a call with [`Recv::from_person`](crate::Recv::from_person).
    ///
    /// ```
    /// # use onward_engine::{InboxFilter, Onward, Result, WaitFor};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Onward::open("sqlite::memory:").launch().await?;
    /// let inbox = client.inbox(InboxFilter { oldest_first: true, ..InboxFilter::default() }).await?;
    /// for item in &inbox.items {
    ///     match &item.wait.wait_for {
    ///         WaitFor::Message { topic, .. } => drop(client.send(item.run.as_str(), topic, &true).await?),
    ///         WaitFor::Hook { token, .. } => drop(client.resume_hook(token, true).await?),
    ///         _ => {}
    ///     }
    /// }
    /// # assert!(inbox.next.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` for a cursor of another list, or for both `after` and `before`; `database` if the database cannot be reached.
    pub async fn inbox(&self, filter: InboxFilter) -> Result<Page<InboxItem>, Error> {
        self.store.inbox(filter).await
    }

    /// The open hooks of all runs that have not ended, newest first unless the filter says otherwise.
    ///
    /// ```
    /// # use onward_engine::{HookFilter, Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Onward::open("sqlite::memory:").launch().await?;
    /// let payments = client.hooks(HookFilter { token_prefix: Some("payment-".into()), ..HookFilter::default() }).await?;
    /// # assert_eq!(payments.items, []);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`inbox`](Client::inbox).
    pub async fn hooks(&self, filter: HookFilter) -> Result<Page<OpenHookRecord>, Error> {
        self.store.open_hooks(filter).await
    }
}
