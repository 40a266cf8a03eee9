//! Numbers of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Status;

/// How many runs of a workflow are in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowCount {
    /// The name of the workflow.
    pub workflow: String,
    /// The state.
    pub status: Status,
    /// How many runs.
    pub runs: u64,
}

/// How many runs match a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCounts {
    /// How many runs in all states.
    pub runs: u64,
    /// How many runs in each state that has any.
    pub statuses: BTreeMap<Status, u64>,
    /// Whether there are more, which were not counted because of the limit.
    pub more: bool,
}
