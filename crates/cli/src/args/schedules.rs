//! `onward schedules …`

use std::time::Duration;

use clap::{Args as Arguments, Subcommand};
use onward::{CatchUp, Json, Overlap, Timestamp};

use super::Common;
use super::values::{attribute, seconds};
use crate::exit;

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

    /// Let its runs wait in this queue until they may start
    #[arg(long, value_name = "QUEUE")]
    pub(crate) queue: Option<String>,

    /// Their priority in the queue, from 1 on: lower numbers come first, and runs without one before all
    #[arg(long, value_name = "NUMBER", requires = "queue")]
    pub(crate) priority: Option<u32>,

    /// Cancel a run of it that has not ended so many seconds after its start
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Attach this to its runs; a value that is no JSON is a text. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    pub(crate) attribute: Vec<(String, Json)>,
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
