//! Workflows: publishing and listing them.

use onward_types::{Error, ExecutorId, Json, WorkflowRecord};

use super::Store;
use crate::ops::executors;
use crate::ops::workflows::{self, Published, PublishedStep};

impl Store {
    /// Publish what an executor has. Writes only what is not published like this already.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn publish(&self, workflows: Vec<Published>) -> Result<(), Error> {
        let changed =
            self.read("workflows.changed", workflows, |tx, all| Box::pin(workflows::changed(tx, all))).await?;
        if changed.is_empty() {
            return Ok(());
        }
        let given = (changed, self.clock.now());
        self.write("workflows.publish", given, |tx, (changed, now)| Box::pin(workflows::publish(tx, changed, *now)))
            .await
    }

    /// Publish a step that was executed.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn publish_step(&self, step: PublishedStep) -> Result<(), Error> {
        self.write("workflows.publish_step", step, |tx, step| Box::pin(workflows::publish_step(tx, step))).await
    }

    /// Announce all workflows of an executor, each as `name@version`, because it was given another one.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn announce(&self, executor: &ExecutorId, workflows: Vec<String>) -> Result<(), Error> {
        let given = (executor.clone(), Json::encode(&workflows)?);
        self.write("executors.announce", given, |tx, (of, all)| Box::pin(executors::announce(tx, of, all))).await
    }

    /// Every workflow that an executor has or had, or that has runs.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn workflows(&self) -> Result<Vec<WorkflowRecord>, Error> {
        self.read("workflows.list", (), |tx, ()| Box::pin(workflows::list(tx))).await
    }
}
