//! The arguments of the verbs that manage runs: runs given by id, or all that match the filters.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Arguments;
use onward::Json;

use super::runs::Which;
use super::values::{attribute, json, seconds};
use crate::exit;

/// Runs given by id, or all that match the filters.
#[derive(Debug, Arguments)]
pub(crate) struct Selected {
    /// The ids of the runs; without ids, all runs that match the filters
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// All runs
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,

    /// Change nothing; say what would change, and what would be refused and why
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) which: Which,
}

/// Who acts, and why.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Signed {
    /// Who does it; recorded and shown
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,

    /// Why; recorded and shown
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Steer {
    #[command(flatten)]
    pub(crate) signed: Signed,

    #[command(flatten)]
    pub(crate) runs: Selected,
}

#[derive(Debug, Arguments)]
pub(crate) struct SteerFamily {
    /// Also all runs that they started
    #[arg(long)]
    pub(crate) with_children: bool,

    #[command(flatten)]
    pub(crate) steer: Steer,
}

#[derive(Debug, Arguments)]
pub(crate) struct WakeUp {
    /// Only the sleeps at these positions, as shown by `onward runs steps`
    #[arg(long, value_name = "POSITIONS", value_delimiter = ',', requires = "ids", conflicts_with_all = ["all", "dry_run"])]
    pub(crate) at: Vec<u32>,

    #[command(flatten)]
    pub(crate) steer: Steer,
}

/// Change the start time of delayed runs
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Delay {
    /// Start them this many seconds from now
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) to: Duration,

    #[command(flatten)]
    pub(crate) steer: Steer,
}

/// Create new runs of the same workflows with the same inputs
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Restart {
    /// Execute them with the newest version that the executor claiming them has [default: the version of each run]
    #[arg(long)]
    pub(crate) newest_version: bool,

    #[command(flatten)]
    pub(crate) runs: Selected,
}

/// Create runs that copy what other runs recorded before a position and continue from there
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Fork {
    /// The position to continue from, as shown by `onward runs steps`; calls from there on are executed again
    #[arg(long, value_name = "POSITION")]
    pub(crate) from: u32,

    /// The id of the new run, if one run is forked [default: a UUID]
    #[arg(long, value_name = "ID", requires = "ids", conflicts_with = "all")]
    pub(crate) new_id: Option<String>,

    /// Execute it with this version of the workflow
    #[arg(long, value_name = "VERSION", requires = "ids", conflicts_with = "all")]
    pub(crate) new_version: Option<String>,

    /// Execute it with the newest version that the executor claiming it has
    #[arg(long, conflicts_with = "new_version")]
    pub(crate) newest_version: bool,

    /// Use this input
    #[arg(long, value_name = "JSON", value_parser = json, requires = "ids", conflicts_with = "all")]
    pub(crate) input: Option<Json>,

    #[command(flatten)]
    pub(crate) runs: Selected,
}

/// Change the attributes of runs
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Attributes {
    /// Set this attribute; a value that is not JSON is a string. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) set: Vec<(String, Json)>,

    /// Remove this attribute. May be given several times
    #[arg(long, value_name = "KEY", required_unless_present_any = ["set", "replace"])]
    pub(crate) remove: Vec<String>,

    /// Remove all other attributes
    #[arg(long, requires = "ids", conflicts_with_all = ["all", "remove"])]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) runs: Selected,
}

/// Delete runs that have ended, with everything that they recorded
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Delete {
    /// Also delete all runs that they started
    #[arg(long)]
    pub(crate) with_children: bool,

    #[command(flatten)]
    pub(crate) runs: Selected,
}

/// Write a run with everything that it recorded and received to a file, as lines of JSON
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Export {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,

    /// Leave out the runs that it started
    #[arg(long, conflicts_with = "all_children")]
    pub(crate) alone: bool,

    /// Include all runs that it started, even those that have ended
    #[arg(long)]
    pub(crate) all_children: bool,
}

/// Create the runs in a file; those that had not ended are paused until they are resumed
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Import {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) from: PathBuf,

    /// The id to use instead of the one in the file
    #[arg(long, value_name = "ID")]
    pub(crate) new_id: Option<String>,
}
