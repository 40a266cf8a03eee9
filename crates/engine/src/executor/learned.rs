//! The steps that workflows execute: an executor publishes the schemas of each when it first sees it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use onward_store::PublishedStep;
use onward_types::{StepSchemas, guarded};

use super::Executor;
use super::run::about::About;
use crate::sync::lock;

/// Makes the schemas of a step.
type Make = fn() -> StepSchemas;

/// The steps that were published, by workflow and version. A step is identified by the address of the function that makes its
/// schemas: two functions with one address make the same.
#[derive(Default)]
pub(crate) struct Learned(Mutex<HashMap<String, HashMap<String, HashSet<usize>>>>);

impl Learned {
    /// Adds a step. `false` if it is there.
    fn add(&self, workflow: &str, version: &str, step: Make) -> bool {
        let mut workflows = lock(&self.0);
        let known = workflows.get(workflow).and_then(|versions| versions.get(version));
        if known.is_some_and(|steps| steps.contains(&(step as usize))) {
            return false;
        }
        workflows.entry(workflow.to_owned()).or_default().entry(version.to_owned()).or_default().insert(step as usize)
    }

    fn forget(&self, workflow: &str, version: &str, step: Make) {
        if let Some(steps) = lock(&self.0).get_mut(workflow).and_then(|versions| versions.get_mut(version)) {
            steps.remove(&(step as usize));
        }
    }
}

impl Executor {
    /// A workflow executes a step. Publishes its schemas, unless this process has done so.
    pub(crate) fn learn(self: &Arc<Self>, about: &About, step: Make) {
        if !self.learned.add(&about.workflow, &about.version, step) {
            return;
        }
        let (executor, workflow, version) = (self.clone(), about.workflow.clone(), about.version.clone());
        self.spawn(async move {
            // Making a schema runs user code.
            let made = match guarded(step) {
                Ok(made) => made,
                Err(error) => {
                    return tracing::warn!(target: "onward::executor", workflow, error, "making the schemas of a step panicked");
                }
            };
            let published = PublishedStep { workflow: workflow.clone(), version: version.clone(), step: made };
            if let Err(error) = executor.store.publish_step(published).await {
                let error = error.message();
                tracing::info!(
                    target: "onward::executor",
                    workflow,
                    error,
                    "the schemas of a step could not be published: this is done when the step is next executed"
                );
                executor.learned.forget(&workflow, &version, step);
            }
        });
    }
}
