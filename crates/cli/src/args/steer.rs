//! How runs are steered: those that are named, or all that filters mean.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Arguments;
use onward::Json;

use super::runs::Which;
use super::values::{attribute, json, seconds};
use crate::exit;

/// Runs by their ids, or all that filters mean.
#[derive(Debug, Arguments)]
pub(crate) struct Many {
    /// The ids of the runs; without ids, all runs that the filters mean
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// All runs there are
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Arguments)]
pub(crate) struct WakeUp {
    /// Only the sleeps at these positions, as `onward runs steps` shows them
    #[arg(long, value_name = "POSITIONS", value_delimiter = ',', requires = "ids", conflicts_with = "all")]
    pub(crate) at: Vec<u32>,

    #[command(flatten)]
    pub(crate) runs: Many,
}

/// Let runs that start later start at another time
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Delay {
    /// So many seconds from now
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) to: Duration,

    #[command(flatten)]
    pub(crate) runs: Many,
}

/// Create runs that take over what others had recorded up to a position, and go their own way from there
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Fork {
    /// From which position on, as `onward runs steps` shows them; what is there and after it is done anew
    #[arg(long, value_name = "POSITION")]
    pub(crate) from: u32,

    /// The id of the new run, where one run is forked [default: a UUID]
    #[arg(long, value_name = "ID", requires = "ids", conflicts_with = "all")]
    pub(crate) new_id: Option<String>,

    /// Let this version of the workflow execute it
    #[arg(long, value_name = "VERSION", requires = "ids", conflicts_with = "all")]
    pub(crate) new_version: Option<String>,

    /// Let the newest version execute it that the executor has which takes it
    #[arg(long, requires = "ids", conflicts_with_all = ["all", "new_version"])]
    pub(crate) newest_version: bool,

    /// Give it this input
    #[arg(long, value_name = "JSON", value_parser = json, requires = "ids", conflicts_with = "all")]
    pub(crate) input: Option<Json>,

    #[command(flatten)]
    pub(crate) runs: Many,
}

/// Change the attributes of runs
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Attributes {
    /// Set this attribute; a value that is no JSON is a text. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) set: Vec<(String, Json)>,

    /// Take this attribute away. May be given several times
    #[arg(long, value_name = "KEY", required_unless_present_any = ["set", "replace"])]
    pub(crate) remove: Vec<String>,

    /// Take every other attribute away
    #[arg(long, requires = "ids", conflicts_with_all = ["all", "remove"])]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) runs: Many,
}

/// Delete runs that have ended, with all that they recorded
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Delete {
    /// All that they started, too
    #[arg(long, requires = "ids", conflicts_with = "all")]
    pub(crate) with_children: bool,

    #[command(flatten)]
    pub(crate) runs: Many,
}

/// Write a run to a file, a line of JSON for all that it recorded, said and heard
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Export {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The file [default: what is printed]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,

    /// Leave out the runs that it started
    #[arg(long, conflicts_with = "all_children")]
    pub(crate) alone: bool,

    /// Take all runs that it started, also those that have ended
    #[arg(long)]
    pub(crate) all_children: bool,
}

/// Create the runs that a file has; what had not ended is paused until it is resumed
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Import {
    /// The file; - is what is typed or piped
    #[arg(value_name = "FILE")]
    pub(crate) from: PathBuf,

    /// Another id than the one in the file
    #[arg(long, value_name = "ID")]
    pub(crate) new_id: Option<String>,
}
