//! Counting runs.

use onward_types::{Error, Filter, StatusCounts, WorkflowCount};

use super::Client;

impl Client {
    /// How many runs each workflow has in each state, ordered by workflow and state; states without runs are left out.
    ///
    /// The numbers are exact, and of one moment. The call reads the runs that are open and those that ended in the last minutes;
    /// of the others only numbers are read, which executors keep.
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let client = Client::connect("sqlite::memory:").await?;
    /// for count in client.counts().await? {
    ///     println!("{}: {} {}", count.workflow, count.runs, count.status);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn counts(&self) -> Result<Vec<WorkflowCount>, Error> {
        self.store.counts().await
    }

    /// How many runs match a filter, by state.
    ///
    /// A filter of nothing but workflows and states is answered from [`counts`](Client::counts), however many runs there are. The
    /// runs of any other filter are counted one by one: at most its `limit`, which is 10,000 unless it is set, and never more
    /// than 100,000. If there are more, [`StatusCounts::more`] is `true`.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid, or has a `sort` or `before`; `database` if the database cannot be reached.
    ///
    /// ```
    /// # use onward_engine::{Client, Filter, Result, Status};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let of_ann = client.count(Filter { users: vec!["ann".into()], ..Filter::default() }).await?;
    /// assert_eq!((of_ann.runs, of_ann.statuses.get(&Status::Failed), of_ann.more), (0, None, false));
    /// # Ok(()) }
    /// ```
    pub async fn count(&self, filter: Filter) -> Result<StatusCounts, Error> {
        self.store.count(filter).await
    }

    /// Count all runs again, in the background. Only needed if the runs in the tables were changed by something else than this
    /// version of Onward (an older version, or SQL), or if a clock was set forward by more than half a minute while runs ended.
    /// Until an executor has counted them, [`counts`](Client::counts) reads them all.
    ///
    /// ```
    /// # use onward_engine::{Client, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// # client.start_named("order", 17).await?;
    /// // After SQL that deleted old runs, for example.
    /// client.recount().await?;
    /// assert_eq!(client.counts().await?[0].runs, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn recount(&self) -> Result<(), Error> {
        self.store.recount().await
    }
}
