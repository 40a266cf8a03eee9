//! Pages of the lists that have a call for all of them, too.

use onward_types::{Error, EventRecord, ExecutorRecord, HookRecord, Page, Paging, ScheduleRecord, StreamRecord};

use super::Client;
use super::handle::WorkflowHandle;
use crate::data::Data;

impl<T: Data> WorkflowHandle<T> {
    /// A page of the [`events`](WorkflowHandle::events), by key.
    ///
    /// ```
    /// # use onward_engine::{Onward, Paging, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let first = Paging { limit: Some(10), ..Paging::default() };
    /// let page = onward.handle_named("order-17").list_events(first).await;
    /// # assert!(page.is_err_and(|error| error.is_unknown_run()), "nobody has started it");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` for a cursor of another list.
    pub async fn list_events(&self, paging: Paging) -> Result<Page<EventRecord>, Error> {
        paging.cut("events", self.events().await?, |event| event.key.clone().into_bytes())
    }

    /// A page of the [`hooks`](WorkflowHandle::hooks), in the order in which they were opened.
    ///
    /// # Errors
    /// As for [`list_events`](WorkflowHandle::list_events).
    pub async fn list_hooks(&self, paging: Paging) -> Result<Page<HookRecord>, Error> {
        paging.cut("hooks", self.hooks().await?, |hook| {
            hook.position.to_be_bytes().into_iter().chain(hook.token.bytes()).collect()
        })
    }

    /// A page of the [`streams`](WorkflowHandle::streams), by key.
    ///
    /// # Errors
    /// As for [`list_events`](WorkflowHandle::list_events).
    pub async fn list_streams(&self, paging: Paging) -> Result<Page<StreamRecord>, Error> {
        paging.cut("streams", self.streams().await?, |stream| stream.key.clone().into_bytes())
    }
}

impl Client {
    /// A page of the [`schedules`](Client::schedules), by id.
    ///
    /// ```
    /// # use onward_engine::{Client, Paging, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let page = client.list_schedules(Paging::default()).await?;
    /// assert!(page.items.is_empty() && page.next.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` for a cursor of another list; `database` if the database cannot be reached.
    pub async fn list_schedules(&self, paging: Paging) -> Result<Page<ScheduleRecord>, Error> {
        paging.cut("schedules", self.schedules().await?, |schedule| schedule.id.clone().into_bytes())
    }

    /// A page of the [`executors`](Client::executors), by id.
    ///
    /// ```
    /// # use onward_engine::{Onward, Paging, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let page = onward.list_executors(Paging { limit: Some(10), ..Paging::default() }).await?;
    /// assert_eq!(page.items[0].id, onward.executor_id());
    /// assert_eq!(onward.executors().await?.len(), 1); // all of them
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`list_schedules`](Client::list_schedules).
    pub async fn list_executors(&self, paging: Paging) -> Result<Page<ExecutorRecord>, Error> {
        paging.cut("executors", self.executors().await?, |executor| executor.id.as_str().as_bytes().to_vec())
    }
}
