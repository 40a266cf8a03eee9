//! Stand-ins for the bodies of steps, which a test gives by name. Without a test there are none, and a step finds that out with one
//! branch.

use std::sync::Arc;

use onward_types::{Json, Result, RunId};

use crate::future::BoxFuture;

/// An attempt of a step whose body may be replaced.
#[derive(Clone, Debug)]
pub struct MockedAttempt {
    /// The run.
    pub run: RunId,
    /// The workflow of the run.
    pub workflow: String,
    /// The name of the step, behind the labels of its branches.
    pub step: Arc<str>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl MockedAttempt {
    /// Whether this is an attempt of the step `name`, in any branch of its workflow.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        onward_store::activity::is_called(&self.step, name)
    }
}

/// Gives stand-ins for the bodies of steps.
pub trait StepMocks: Send + Sync {
    /// The stand-in for this attempt, or `None`: the real body runs. What it returns is recorded as if the body had returned it. While
    /// it is pending, the step only waits.
    fn stand_in(&self, attempt: MockedAttempt) -> Option<BoxFuture<'static, Result<Json>>>;
}

/// The stand-ins of an executor, if a test gave any.
#[derive(Clone, Default)]
pub(crate) struct Mocks(pub(crate) Option<Arc<dyn StepMocks>>);

impl std::fmt::Debug for Mocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "some" } else { "none" })
    }
}
