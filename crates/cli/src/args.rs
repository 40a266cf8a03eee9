//! What can be typed. Doc comments here are the help that people read.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Arguments, Parser, Subcommand};
use onward::{CatchUp, Overlap, RunKey, Status, Timestamp};

use crate::exit;

/// Durable workflows on SQLite and PostgreSQL: look at runs and schedules, steer them, and see the demo.
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
    Schedules(Schedules),
    Hooks(Hooks),
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
    /// End the sleeps of runs now
    #[command(after_help = exit::CODES)]
    WakeUp(Box<WakeUp>),
    /// Create runs of the same workflows with the same inputs, from scratch
    #[command(after_help = exit::CODES)]
    Restart(Box<Many>),
    Fork(Fork),
    Attributes(Box<Attributes>),
    Delete(Box<Delete>),
    Export(Export),
    Import(Import),
    Send(Send),
    Event(Event),
    Stream(Stream),
}

/// Send a message to a run
///
/// It is kept if the run is there, and taken by the next call of `ctx.recv` with its topic.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Send {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// On which topic
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: String,

    /// What it says: JSON, or else a text; - reads it from standard input
    #[arg(value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) message: String,

    /// The same key again, to the same run, is the same message
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,
}

/// Show the events of a run, or the latest value of one
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Event {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The key of the event; without one all events are shown
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// If it is not set yet, wait so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "key")]
    pub(crate) wait: Option<Duration>,
}

/// Read a stream of a run, live, until it ends
///
/// It ends where the run closed it, or with the run. Each chunk is a line: a value is JSON.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Stream {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The key of the stream
    #[arg(value_name = "KEY", default_value = "default")]
    pub(crate) key: String,

    /// Begin at this index; -3 is three chunks before the end
    #[arg(long, value_name = "INDEX", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) from: i64,

    /// Leave out what attempts of steps appended that do not count
    #[arg(long)]
    pub(crate) committed: bool,

    /// End after what is there now
    #[arg(long)]
    pub(crate) now: bool,

    /// Print texts and bytes as they are, with nothing between them
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,

    /// Show which streams there are, instead of reading one
    #[arg(long)]
    pub(crate) list: bool,
}

/// Reach runs by the tokens of their hooks
#[derive(Debug, Arguments)]
pub(crate) struct Hooks {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: HookVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HookVerb {
    Resume(ResumeHook),
}

/// Send a payload to the hook that has a token
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct ResumeHook {
    /// The token
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,

    /// What it says: JSON, or else a text; - reads it from standard input
    #[arg(value_name = "PAYLOAD", default_value = "null", allow_hyphen_values = true)]
    pub(crate) payload: String,

    /// The same key again, to the same hook, is the same payload
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,
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
pub(crate) struct Steps {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// From which position on
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) from: u32,

    /// How many at the most [default: all]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) limit: u32,

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
    #[command(flatten)]
    pub(crate) runs: Many,

    /// Only the sleeps at these positions, as `onward runs steps` shows them
    #[arg(long, value_name = "POSITIONS", value_delimiter = ',', requires = "ids")]
    pub(crate) at: Vec<u32>,
}

/// Create a run that takes over what another one had recorded up to a position, and goes its own way from there
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Fork {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// From which position on, as `onward runs steps` shows them; what is there and after it is done anew
    #[arg(long, value_name = "POSITION")]
    pub(crate) from: u32,

    /// The id of the new run [default: a UUID]
    #[arg(long, value_name = "ID")]
    pub(crate) new_id: Option<String>,

    /// Let this version of the workflow execute it
    #[arg(long, value_name = "VERSION")]
    pub(crate) run_version: Option<String>,

    /// Give it this input
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) input: Option<serde_json::Value>,
}

/// Change the attributes of runs
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Attributes {
    #[command(flatten)]
    pub(crate) runs: Many,

    /// Set this attribute; a value that is no JSON is a text. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) set: Vec<(String, serde_json::Value)>,

    /// Take this attribute away. May be given several times
    #[arg(long, value_name = "KEY", required_unless_present_any = ["set", "replace"])]
    pub(crate) remove: Vec<String>,

    /// Take every other attribute away
    #[arg(long, requires = "ids", conflicts_with = "remove")]
    pub(crate) replace: bool,
}

/// Delete runs that have ended, with all that they recorded
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) runs: Many,

    /// All that they started, too
    #[arg(long, requires = "ids")]
    pub(crate) with_children: bool,
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
}

/// Create the run that a file has. One that had not ended is paused until it is resumed
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

/// Look at schedules and steer them
#[derive(Debug, Arguments)]
pub(crate) struct Schedules {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: ScheduleVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleVerb {
    /// List schedules
    #[command(after_help = exit::CODES)]
    List,
    /// Show all that is known of a schedule, and its next ticks
    #[command(after_help = exit::CODES)]
    Show(Schedule),
    Create(NewSchedule),
    /// Let the ticks of a schedule start nothing
    #[command(after_help = exit::CODES)]
    Pause(Schedule),
    /// Let the ticks of a schedule start runs again, from now on
    #[command(after_help = exit::CODES)]
    Resume(Schedule),
    /// Start a run of a schedule now
    #[command(after_help = exit::CODES)]
    Trigger(Schedule),
    Backfill(Backfill),
    /// Delete a schedule; its runs stay
    #[command(after_help = exit::CODES)]
    Delete(Schedule),
}

#[derive(Debug, Arguments)]
pub(crate) struct Schedule {
    /// The id of the schedule
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// Run a workflow again and again. A schedule of that id is defined anew
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct NewSchedule {
    /// The workflow; its input is a tick
    #[arg(value_name = "WORKFLOW")]
    pub(crate) workflow: String,

    /// When: "0 8 * * Mon-Fri", or with seconds "0 0 8 * * Mon-Fri"
    #[arg(value_name = "CRON")]
    pub(crate) cron: String,

    /// The id of the schedule [default: the name of the workflow]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    /// By the clocks of which place
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) zone: String,

    /// What becomes of ticks that were missed: latest, all or skip
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) catch_up: CatchUp,

    /// What becomes of a tick while the last run goes on: allow, skip or cancel
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) overlap: Overlap,
}

/// Start the runs of ticks in the past that have none, 1,000 at the most
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Backfill {
    /// The id of the schedule
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The first tick, or an instant before it: 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Timestamp,

    /// An instant after the last tick [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("that is no JSON: {error}"))
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

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "that is no number of seconds".to_owned())
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}
