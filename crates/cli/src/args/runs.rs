//! The arguments of `onward runs …`: its verbs, and the filters that select runs.

use std::time::Duration;

use clap::{Args as Arguments, Subcommand, ValueEnum};
use onward::records::{Cursor, Origin, SortBy, WaitsFor};
use onward::{Json, Status, Timestamp};

use super::Common;
use super::start::Start;
use super::steer::{Attributes, Delay, Delete, Export, Fork, Import, Restart, Steer, SteerFamily, WakeUp};
use super::talk::{Event, Messages, Send, Stream};
use super::values::{attribute, number, seconds};
use crate::exit;

/// Show and manage runs
#[derive(Debug, Arguments)]
pub(crate) struct Runs {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Mask fields with these names in payloads and attributes: password,card.number
    #[arg(
        long,
        value_name = "FIELDS",
        env = "ONWARD_MASK",
        hide_env_values = true,
        global = true,
        value_delimiter = ','
    )]
    pub(crate) mask: Vec<String>,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Start(Box<Start>),
    List(Box<List>),
    /// Show everything about a run
    #[command(after_help = exit::CODES)]
    Show(One),
    /// Show the durable calls of a run: results, attempts and waits
    #[command(after_help = exit::CODES)]
    Steps(Steps),
    /// Follow a run until it ends or is held
    #[command(after_help = exit::CODES)]
    Watch(One),
    Wait(Wait),
    /// Cancel runs and all runs that they started
    #[command(after_help = exit::CODES)]
    Cancel(Box<Steer>),
    /// Pause runs until they are resumed
    #[command(after_help = exit::CODES)]
    Pause(Box<SteerFamily>),
    /// Resume runs that were paused, held, cancelled or given up from their last checkpoint
    #[command(after_help = exit::CODES)]
    Resume(Box<SteerFamily>),
    /// Start runs now that wait in a queue or for their start time
    #[command(after_help = exit::CODES)]
    StartNow(Box<Steer>),
    /// End the sleeps of runs now
    #[command(after_help = exit::CODES)]
    WakeUp(Box<WakeUp>),
    Restart(Box<Restart>),
    SetDelay(Box<Delay>),
    Fork(Box<Fork>),
    Attributes(Box<Attributes>),
    Delete(Box<Delete>),
    Export(Export),
    Import(Import),
    Send(Send),
    Messages(Messages),
    Event(Event),
    Stream(Stream),
}

/// List runs, newest first
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct List {
    /// Only runs with one of these ids
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// The maximum number of runs
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,

    /// Continue after this place: the `next` of a page
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,

    /// Show the page before this place: the `previous` of a page
    #[arg(long, value_name = "CURSOR", conflicts_with = "after")]
    pub(crate) before: Option<Cursor>,

    /// Sort by when runs were created, first started or ended; a run without that time is not shown
    #[arg(long, value_name = "TIME", value_enum, default_value_t)]
    pub(crate) sort: Sort,

    /// List the oldest runs first
    #[arg(long)]
    pub(crate) oldest_first: bool,

    /// Include inputs and outputs
    #[arg(long)]
    pub(crate) with_payloads: bool,

    #[command(flatten)]
    pub(crate) which: Which,
}

/// The times by which runs are sorted.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Sort {
    #[default]
    Created,
    Started,
    Finished,
}

impl From<Sort> for SortBy {
    fn from(sort: Sort) -> SortBy {
        match sort {
            Sort::Created => SortBy::Created,
            Sort::Started => SortBy::Started,
            Sort::Finished => SortBy::Finished,
        }
    }
}

/// The filters that select runs.
#[derive(Clone, Debug, Default, PartialEq, Arguments)]
#[command(next_help_heading = "Which runs")]
pub(crate) struct Which {
    /// Only runs in one of these states: delayed, enqueued, running, paused, succeeded, failed, cancelled or
    /// retries_exceeded
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,

    /// No runs in these states
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    pub(crate) not_status: Vec<Status>,

    /// Only runs of one of these workflows
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) workflow: Vec<String>,

    /// No runs of these workflows
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) not_workflow: Vec<String>,

    /// Only runs of one of these versions
    #[arg(long = "run-version", value_name = "VERSIONS", value_delimiter = ',')]
    pub(crate) version: Vec<String>,

    /// Only runs whose id begins with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,

    /// Only runs whose id contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) contains: Option<String>,

    /// Only runs on behalf of one of these users
    #[arg(long, value_name = "USERS", value_delimiter = ',')]
    pub(crate) user: Vec<String>,

    /// Only runs that one of these executors owns
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) executor: Vec<String>,

    /// Only runs that one of these executors owns or was the last to own
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) last_executor: Vec<String>,

    /// Only runs of one of these origins: started, scheduled, child, forked, restarted, imported, debounced or batched
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
    pub(crate) origin: Vec<Origin>,

    /// No runs of these origins
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
    pub(crate) not_origin: Vec<Origin>,

    /// Only runs that failed, or are held, with one of these error codes
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(crate) error_code: Vec<String>,

    /// Only the children of this run
    #[arg(long, value_name = "ID")]
    pub(crate) parent: Option<String>,

    /// Only runs that another run started; with =false, only those that no run started
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) has_parent: Option<bool>,

    /// Only runs that were forked from this run
    #[arg(long, value_name = "ID")]
    pub(crate) forked_from: Option<String>,

    /// Only runs that are forks; with =false, only those that are not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) is_fork: Option<bool>,

    /// Only runs that have forks; with =false, only those that have none
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) was_forked_from: Option<bool>,

    /// Only runs of one of these queues
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) queue: Vec<String>,

    /// Only runs with one of these partition keys
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub(crate) partition: Vec<String>,

    /// Only open runs of queues: delayed, waiting, running or paused
    #[arg(long)]
    pub(crate) queued: bool,

    /// Only runs that wait for this: timer, retry, message, message:TOPIC, hook, child, event, event:KEY, person, queue or
    /// executor
    #[arg(long, value_name = "WHAT")]
    pub(crate) waits_for: Option<WaitsFor>,

    /// Only runs with this attribute; a value that is not JSON is a string. May be given several times; several values of one
    /// key mean any of them
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, Json)>,

    /// Only runs of which this attribute is a number that is at least so much. May be given several times
    #[arg(long, value_name = "KEY=NUMBER", value_parser = number)]
    pub(crate) attribute_min: Vec<(String, f64)>,

    /// Only runs of which this attribute is a number that is at most so much. May be given several times
    #[arg(long, value_name = "KEY=NUMBER", value_parser = number)]
    pub(crate) attribute_max: Vec<(String, f64)>,

    /// Only runs that took at least this many seconds from their start to their end, or until now
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) min_duration: Option<Duration>,

    /// Only runs that took at most this many seconds from their start to their end, or until now
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_duration: Option<Duration>,

    /// Only runs created at this time or later: 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) created_from: Option<Timestamp>,

    /// Only runs created before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) created_until: Option<Timestamp>,

    /// Only runs that first started at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) started_from: Option<Timestamp>,

    /// Only runs that first started before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) started_until: Option<Timestamp>,

    /// Only runs that ended at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_from: Option<Timestamp>,

    /// Only runs that ended before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_until: Option<Timestamp>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Steps {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The first position to show
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) from: u32,

    /// The maximum number of calls [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,

    /// Leave out outputs
    #[arg(long)]
    pub(crate) without_output: bool,
}

/// Wait until a run ends or is held, and print its output
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Wait {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Stop waiting after this many seconds; 0 looks once [default: wait as long as it takes]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Arguments)]
pub(crate) struct One {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}
