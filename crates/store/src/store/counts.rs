//! Counting runs.

use onward_types::{Error, Filter, StatusCounts, WorkflowCount};

use super::Store;
use crate::ops::counts;

impl Store {
    /// How many runs each workflow has in each state, ordered by workflow and state.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn counts(&self) -> Result<Vec<WorkflowCount>, Error> {
        self.read("counts.all", (), |tx, ()| Box::pin(counts::all(tx))).await
    }

    /// How many runs match a filter, by state.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the filter is not valid, or if the database cannot be reached.
    pub async fn count(&self, filter: Filter) -> Result<StatusCounts, Error> {
        let given = (filter, self.clock.now());
        self.read("counts.matching", given, |tx, (filter, now)| Box::pin(counts::matching(tx, filter, *now))).await
    }

    /// Count some of the runs that have ended and are not counted yet, so that [`counts`](Store::counts) need not. Returns
    /// whether there are more of them.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn advance_counts(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        self.write("counts.advance", now, |tx, now| Box::pin(counts::advance(tx, *now))).await
    }

    /// Forget what was counted, so that all is counted again.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn recount(&self) -> Result<(), Error> {
        self.write("counts.recount", (), |tx, ()| Box::pin(counts::recount(tx))).await
    }
}
