//! What can be typed. Doc comments here are the help that people read.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Arguments, Parser, Subcommand};
use onward::{RunKey, Status, Timestamp};

use crate::exit;

/// Durable workflows on SQLite and PostgreSQL: look at runs, steer them, and see the demo.
#[derive(Debug, Parser)]
#[command(name = "onward", version, after_help = exit::CODES, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    /// The database: sqlite:app.db or postgres://…, here or after the command
    #[arg(long, value_name = "URL", global = true)]
    // Each command has one of the same name, and says what it means there; clap hands it this one's value.
    db: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Runs(Runs),
    /// The process that the demo kills.
    #[command(hide = true)]
    DemoExecutor(DemoExecutor),
}

/// Archive a folder with durable workflows, kill them in the middle, and prove that nothing was lost or done twice
///
/// Each file is a run of five steps: read, hash, compress, store, record. The process that executes them is killed with
/// SIGKILL again and again and started anew. In the end every file is unpacked and compared with the source, and a log of
/// what really ran is compared with what was recorded. The exit code is 0 only if the proof holds.
#[derive(Debug, Arguments)]
pub(crate) struct Demo {
    /// The folder to archive, without what git ignores there
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Where the runs are kept: sqlite:app.db or postgres://… [default: a SQLite file in the working folder]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,

    /// How often to kill the executor
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) kills: usize,

    /// Keep the working folder: the archive, its manifest, the log of steps, the database
    #[arg(long)]
    pub(crate) keep: bool,

    /// Print the result as one JSON value
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct DemoExecutor {
    #[arg(long)]
    pub(crate) db: String,

    /// The working folder.
    #[arg(long)]
    pub(crate) work: PathBuf,

    /// Which life of the executor this is, counted from 1.
    #[arg(long)]
    pub(crate) life: u32,

    /// Begin no more than this many different step bodies, lives before counted in.
    #[arg(long)]
    pub(crate) hold_at: usize,

    #[arg(long, value_parser = milliseconds)]
    pub(crate) lease_ms: Option<Duration>,
}

/// Look at runs and steer them
#[derive(Debug, Arguments)]
pub(crate) struct Runs {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Arguments)]
pub(crate) struct Common {
    /// The database: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL", env = "ONWARD_DB", hide_env_values = true, global = true)]
    pub(crate) db: Option<String>,

    /// Print JSON for programs: one value, or one a line where it goes on
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    List(Box<List>),
    /// Show all that is known of a run
    #[command(after_help = exit::CODES)]
    Show(One),
    /// Show the durable calls of a run: what is recorded, what was tried, what it waits for
    #[command(after_help = exit::CODES)]
    Steps(One),
    /// Follow a run until it ends
    #[command(after_help = exit::CODES)]
    Watch(One),
    /// Cancel runs and all that they started
    #[command(after_help = exit::CODES)]
    Cancel(Several),
    /// Let runs that were cancelled, held or given up go on from their last checkpoint
    #[command(after_help = exit::CODES)]
    Resume(Several),
}

/// List runs, newest first
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) which: Which,

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
}

/// Which runs are meant. What is not given does not filter.
#[derive(Debug, Default, Arguments)]
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

    /// Only runs that were forked from this run
    #[arg(long, value_name = "ID")]
    pub(crate) forked_from: Option<String>,

    /// Only runs with this attribute; a value that is no JSON is a text. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, serde_json::Value)>,

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
pub(crate) struct One {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Arguments)]
pub(crate) struct Several {
    /// The ids of the runs
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
}

fn run_key(text: &str) -> Result<RunKey, String> {
    let key = text.parse().map(RunKey);
    key.map_err(|_| "that is no key of a run: take the one that the page before shows as its `next`".to_owned())
}

/// `key=value`. A value that is JSON is that; any other is a text, for nobody wants to quote twice.
fn attribute(text: &str) -> Result<(String, serde_json::Value), String> {
    let (key, value) = text.split_once('=').ok_or("an attribute is given as KEY=VALUE")?;
    let json = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::from(value));
    Ok((key.to_owned(), json))
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}
