//! The arguments of `onward schedules …`.

use std::time::Duration;

use clap::{Args as Arguments, Subcommand};
use onward::records::{CatchUp, Overlap};
use onward::{Json, Timestamp};

use super::Common;
use super::steer::Signed;
use super::values::{attribute, seconds};
use crate::exit;

/// Show and manage schedules
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
    /// Show everything about a schedule, and its next ticks
    #[command(after_help = exit::CODES)]
    Show(Schedule),
    Create(NewSchedule),
    /// Pause a schedule: its ticks start no runs
    #[command(after_help = exit::CODES)]
    Pause(SteerSchedule),
    /// Resume a schedule: its ticks start runs again, from now on
    #[command(after_help = exit::CODES)]
    Resume(SteerSchedule),
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

#[derive(Debug, Arguments)]
pub(crate) struct SteerSchedule {
    #[command(flatten)]
    pub(crate) schedule: Schedule,

    #[command(flatten)]
    pub(crate) signed: Signed,
}

/// Create a schedule that starts runs of a workflow, or replace the one with the same id
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct NewSchedule {
    /// The workflow; its input is a tick
    #[arg(value_name = "WORKFLOW")]
    pub(crate) workflow: String,

    /// The cron expression: "0 8 * * Mon-Fri", or with seconds "0 0 8 * * Mon-Fri"
    #[arg(value_name = "CRON")]
    pub(crate) cron: String,

    /// The id of the schedule [default: the name of the workflow]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    /// The time zone of the cron expression, such as Europe/Zurich
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) zone: String,

    /// What happens to ticks that were missed: latest, all or skip
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) catch_up: CatchUp,

    /// What happens at a tick while the last run is open: allow, skip or cancel
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) overlap: Overlap,

    /// The queue of its runs
    #[arg(long, value_name = "QUEUE")]
    pub(crate) queue: Option<String>,

    /// The priority of its runs in the queue, from 1: lower numbers run first, and runs without a priority before all others
    #[arg(long, value_name = "NUMBER", requires = "queue")]
    pub(crate) priority: Option<u32>,

    /// Cancel a run that has not ended this many seconds after its start
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Attempt a run that fails at most this often, the first time included; by default as its workflow says
    #[arg(long, value_name = "NUMBER")]
    pub(crate) attempts: Option<u32>,

    /// Give a run up when its process has died more often than this while it recorded nothing; by default as its workflow says
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_recoveries: Option<u32>,

    /// Give its runs this attribute; a value that is not JSON is a string. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, Json)>,
}

/// Start runs for past ticks that have none, at most 1,000
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Backfill {
    /// The id of the schedule
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The first tick, or a time before it: 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Timestamp,

    /// A time after the last tick [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
}
