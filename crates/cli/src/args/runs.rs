//! `onward runs …`: its verbs, and how runs are looked at.

use clap::{Args as Arguments, Subcommand};
use onward::{Json, RunKey, Status, Timestamp};

use super::Common;
use super::steer::{Attributes, Delay, Delete, Export, Fork, Import, Many, WakeUp};
use super::talk::{Event, Messages, Send, Stream};
use super::values::{attribute, run_key};
use crate::exit;

/// Look at runs and steer them
#[derive(Debug, Arguments)]
pub(crate) struct Runs {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Hide fields of these names in payloads and attributes: password,card.number
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
    List(Box<List>),
    /// Show all that is known of a run
    #[command(after_help = exit::CODES)]
    Show(One),
    /// Show the durable calls of a run: what is recorded, what was tried, what it waits for
    #[command(after_help = exit::CODES)]
    Steps(Steps),
    /// Follow a run until it ends
    #[command(after_help = exit::CODES)]
    Watch(One),
    /// Cancel runs and all that they started
    #[command(after_help = exit::CODES)]
    Cancel(Box<Many>),
    /// Hold runs until they are resumed
    #[command(after_help = exit::CODES)]
    Pause(Box<Many>),
    /// Let runs that were paused, cancelled, held or given up go on from their last checkpoint
    #[command(after_help = exit::CODES)]
    Resume(Box<Many>),
    /// Start runs at once that wait in a queue or for their time
    #[command(after_help = exit::CODES)]
    StartNow(Box<Many>),
    /// End the sleeps of runs now
    #[command(after_help = exit::CODES)]
    WakeUp(Box<WakeUp>),
    /// Create runs of the same workflows with the same inputs, from scratch
    #[command(after_help = exit::CODES)]
    Restart(Box<Many>),
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

    /// How many at the most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,

    /// Go on after this key: the `next` of the page before
    #[arg(long, value_name = "KEY", value_parser = run_key)]
    pub(crate) after: Option<RunKey>,

    /// Oldest first
    #[arg(long)]
    pub(crate) oldest_first: bool,

    /// Read inputs and outputs, too
    #[arg(long)]
    pub(crate) with_payloads: bool,

    #[command(flatten)]
    pub(crate) which: Which,
}

/// Which runs are meant. What is not given does not filter.
#[derive(Clone, Debug, Default, PartialEq, Arguments)]
#[command(next_help_heading = "Which runs")]
pub(crate) struct Which {
    /// Only runs in one of these states: delayed, enqueued, running, paused, succeeded, failed, cancelled or
    /// retries_exceeded
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,

    /// Only runs of one of these workflows
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) workflow: Vec<String>,

    /// Only runs of one of these versions
    #[arg(long = "run-version", value_name = "VERSIONS", value_delimiter = ',')]
    pub(crate) version: Vec<String>,

    /// Only runs whose id begins so
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,

    /// Only runs on behalf of this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Only runs that this executor has
    #[arg(long, value_name = "ID")]
    pub(crate) executor: Option<String>,

    /// Only the children of this run
    #[arg(long, value_name = "ID")]
    pub(crate) parent: Option<String>,

    /// Only runs that another run started; with =false only those that none did
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) has_parent: Option<bool>,

    /// Only runs that were forked from this run
    #[arg(long, value_name = "ID")]
    pub(crate) forked_from: Option<String>,

    /// Only runs that were forked from another; with =false only those that were not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) is_fork: Option<bool>,

    /// Only runs from which others were forked; with =false only those from which none were
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) was_forked_from: Option<bool>,

    /// Only runs of this queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,

    /// Only runs that are in a queue: they wait or run there, or are paused, and have not ended
    #[arg(long)]
    pub(crate) queued: bool,

    /// Only runs with this attribute; a value that is no JSON is a text. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, Json)>,

    /// Only runs created at this time or later: 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) created_from: Option<Timestamp>,

    /// Only runs created before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) created_until: Option<Timestamp>,

    /// Only runs that first ran at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) started_from: Option<Timestamp>,

    /// Only runs that first ran before this time
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

    /// From which position on
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) from: u32,

    /// How many at the most [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,

    /// Leave outputs out
    #[arg(long)]
    pub(crate) without_output: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct One {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}
