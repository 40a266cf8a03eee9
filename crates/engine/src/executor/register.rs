//! Registers a workflow while the executor runs.

use std::sync::{Arc, PoisonError};

use onward_store::{Known, Published};
use onward_types::{Code, Error};

use super::Executor;
use super::registry::{Registered, Registry};

impl Executor {
    /// Announces the workflow, and only then has it: if the announcement fails, nothing has changed.
    pub(crate) async fn register(&self, workflow: Registered) -> Result<(), Error> {
        // A new seat announces the workflows that it found in the registry.
        let _turn = self.announcing.lock().await;
        if self.is_draining() {
            return Err(Error::new(
                Code::Stopped,
                "the executor is shutting down: register the workflow with another one",
            ));
        }
        self.registry.check(&workflow, Code::AlreadyRegistered)?;
        self.store.publish(vec![workflow.published()]).await?;
        let mut keys = self.registry.keys();
        keys.push(workflow.key());
        self.store.announce(&self.seat().executor, keys.clone()).await?;
        self.registry.add(workflow);
        *self.workflows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Known::new(keys));
        self.ring_claimers();
        Ok(())
    }
}

impl Registry {
    /// What the executor publishes of its workflows.
    pub(crate) fn published(&self) -> Vec<Published> {
        self.all().iter().map(|workflow| workflow.published()).collect()
    }
}

impl Registered {
    fn published(&self) -> Published {
        Published { name: self.name.clone(), version: self.version.clone(), schemas: self.schemas.clone() }
    }
}
