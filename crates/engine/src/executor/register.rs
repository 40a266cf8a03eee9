//! Registers a workflow while the executor runs, and takes one away.

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
        self.know(keys);
        self.ring_claimers();
        Ok(())
    }

    /// Announces the other workflows, and only then no longer has this one. Returns whether it had it. A run of it that was
    /// claimed before and begins after is released.
    pub(crate) async fn unregister(&self, name: &str, version: &str) -> Result<bool, Error> {
        let _turn = self.announcing.lock().await;
        if self.is_draining() {
            return Err(Error::new(Code::Stopped, "the executor is shutting down, and has no workflows after that"));
        }
        let Some(workflow) = self.registry.get(name, version) else { return Ok(false) };
        let mut keys = self.registry.keys();
        keys.retain(|key| *key != workflow.key());
        self.store.announce(&self.seat().executor, keys.clone()).await?;
        // First: what can be claimed has to be in the registry.
        self.know(keys);
        self.registry.remove(name, version);
        Ok(true)
    }

    fn know(&self, keys: Vec<String>) {
        *self.workflows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Known::new(keys));
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
