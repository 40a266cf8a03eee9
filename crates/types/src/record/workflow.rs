//! Workflows as a list shows them: what executors have, what is known of it, and what is open.

use serde::{Deserialize, Serialize};

use crate::{ExecutorId, Json, Timestamp};

/// The JSON Schemas of a workflow or a step, as far as they are known. A schema describes a value as it is recorded.
///
/// ```
/// # use onward_types::{Json, Schemas};
/// let schemas = Schemas { input: Some(Json::from(r#"{"type":"integer"}"#.to_owned())), ..Schemas::default() };
/// assert_eq!(serde_json::to_string(&schemas).unwrap(), r#"{"input":{"type":"integer"}}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schemas {
    /// The schema of the input; for a step, of its arguments: an object with one property for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// The schema of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
}

/// A workflow, by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRecord {
    /// The name under which its runs are recorded.
    pub name: String,
    /// Its versions, oldest first, where `10` is newer than `9`: those that an executor has or had. Empty if there are only runs.
    pub versions: Vec<VersionRecord>,
    /// Its runs that have not ended.
    pub open: OpenRuns,
}

/// A version of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// The version, set by the author of the code.
    pub version: String,
    /// The live executors that have it, oldest first. Without one, its runs wait.
    pub executors: Vec<ExecutorId>,
    /// The schemas of input and output that the last executor with this version published.
    pub schemas: Schemas,
    /// The steps of it that published schemas and have been executed since, by name.
    #[serde(default)]
    pub steps: Vec<StepSchemas>,
    /// When an executor first published it, or published it with other schemas.
    #[serde(with = "crate::wire::instant")]
    pub updated_at: Timestamp,
}

/// The schemas of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSchemas {
    /// The name under which its results are recorded, without the labels of branches.
    pub name: String,
    /// The schemas of its arguments and its output.
    pub schemas: Schemas,
}

/// How many runs have not ended, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRuns {
    /// Runs that start later.
    pub delayed: u64,
    /// Runs that wait for an executor or in a queue.
    pub enqueued: u64,
    /// Runs that have started, including those that only wait.
    pub running: u64,
    /// Runs that are paused or held.
    pub paused: u64,
}

impl OpenRuns {
    /// The number of runs that have not ended.
    ///
    /// ```
    /// # use onward_types::OpenRuns;
    /// assert_eq!(OpenRuns { running: 2, paused: 1, ..OpenRuns::default() }.total(), 3);
    /// ```
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.delayed + self.enqueued + self.running + self.paused
    }
}
