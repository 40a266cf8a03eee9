//! An executor as a list shows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::{instant, millis};
use crate::{ExecutorId, Timestamp};

/// An executor: a process that executes runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorRecord {
    /// Its id.
    pub id: ExecutorId,
    /// Its number of heartbeats.
    pub beat: i64,
    /// Whether it was declared dead.
    pub dead: bool,
    /// The name of its machine.
    pub host: String,
    /// The id of its process.
    pub pid: u32,
    /// The workflows it knows, each as `name@version`.
    pub workflows: Vec<String>,
    /// When it joined.
    #[serde(with = "instant")]
    pub started_at: Timestamp,
    /// How long it may send no heartbeat before it is declared dead. `None` for executors of an older version.
    #[serde(rename = "lease_ms", default, with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub lease: Option<Duration>,
}
