//! Which workflows there are.

use onward_types::{Error, WorkflowRecord};

use super::Client;

impl Client {
    /// Every workflow that an executor has or had, or that has runs: its versions with the live executors that have them and their
    /// JSON Schemas, and how many of its runs are open, by state. In the order of their names.
    ///
    /// Versions and schemas stay listed when their executors have left. The time it takes grows with the number of workflows and
    /// open runs, and not with the number of runs that have ended.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, WorkflowFn};
    /// # use serde_json::json;
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let double = WorkflowFn::new("double", "2", |_ctx, n: i64| async move { Ok(n * 2) });
    /// let onward = Onward::open("sqlite::memory:").register(double.input_schema(json!({"type": "integer"}))).launch().await?;
    /// let double = &onward.workflows().await?[0];
    /// assert_eq!((double.name.as_str(), double.open.total()), ("double", 0));
    /// assert_eq!(double.versions[0].version, "2");
    /// assert_eq!(double.versions[0].executors.len(), 1);
    /// assert_eq!(double.versions[0].schemas.input.as_ref().unwrap().as_str(), r#"{"type":"integer"}"#);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn workflows(&self) -> Result<Vec<WorkflowRecord>, Error> {
        self.store.workflows().await
    }
}
