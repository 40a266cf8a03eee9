//! The arguments of `onward runs start`.

use std::time::Duration;

use clap::Args as Arguments;
use onward::{Json, Timestamp};

use super::values::{attribute, seconds};
use crate::exit;

/// Start a run of a workflow, and print its id
///
/// An executor that has the workflow executes it. If there is none, the run waits for one.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Start {
    /// The name of the workflow
    #[arg(value_name = "WORKFLOW")]
    pub(crate) workflow: String,

    /// The input: JSON, or else a string; - reads it from standard input
    #[arg(value_name = "INPUT", default_value = "null", allow_hyphen_values = true)]
    pub(crate) input: String,

    /// The id of the run [default: a UUID]. The same start with the same id finds the run that exists
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    /// Execute it with this version of the workflow [default: the newest that the executor claiming it has]
    #[arg(long = "run-version", value_name = "VERSION")]
    pub(crate) version: Option<String>,

    /// Wait in this queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,

    /// The priority in the queue: runs with a lower number start first
    #[arg(long, value_name = "N", requires = "queue")]
    pub(crate) priority: Option<u32>,

    /// The partition key in the queue
    #[arg(long, value_name = "KEY", requires = "queue")]
    pub(crate) partition: Option<String>,

    /// Refuse to start it while an open run of the queue has the same key
    #[arg(long, value_name = "KEY", requires = "queue")]
    pub(crate) dedup: Option<String>,

    /// Start it this many seconds from now
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) delay: Option<Duration>,

    /// Cancel it this many seconds after it first starts
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Cancel it at this time: 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<Timestamp>,

    /// Give it up after this many crashes of its executor without progress
    #[arg(long, value_name = "N")]
    pub(crate) max_recoveries: Option<u32>,

    /// Set this attribute; a value that is not JSON is a string. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, Json)>,

    /// The user on whose behalf it runs
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Wait until it ends or is held, and print its output instead of its id
    #[arg(long)]
    pub(crate) wait: bool,
}
