//! The arguments of `onward queues …`.

use clap::{Args as Arguments, Subcommand};

use super::Common;
use super::steer::Signed;
use super::values::{Limit, count, rate};
use crate::exit;

/// Show and manage queues
#[derive(Debug, Arguments)]
pub(crate) struct Queues {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: QueueVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// List queues, with the numbers of waiting and running runs
    #[command(after_help = exit::CODES)]
    List,
    /// Show everything about a queue
    #[command(after_help = exit::CODES)]
    Show(Queue),
    Set(SetQueue),
    /// Give the limits of a queue back to code: end what `set` has overridden
    #[command(after_help = exit::CODES)]
    Reset(Queue),
    /// Start no more runs of a queue; those that are running continue
    #[command(after_help = exit::CODES)]
    Pause(SteerQueue),
    /// Resume a paused queue
    #[command(after_help = exit::CODES)]
    Resume(SteerQueue),
    /// Delete a queue; its waiting runs wait until a queue of that name is created
    #[command(after_help = exit::CODES)]
    Delete(Queue),
}

#[derive(Debug, Arguments)]
pub(crate) struct Queue {
    /// The name of the queue
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Arguments)]
pub(crate) struct SteerQueue {
    #[command(flatten)]
    pub(crate) queue: Queue,

    #[command(flatten)]
    pub(crate) signed: Signed,
}

/// Create a queue, or override its limits
///
/// A limit that is not given stays unchanged; the value none removes it. A change takes effect at once, for every executor, and
/// stays in force whatever limits the code declares when it starts, until `onward queues reset`.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct SetQueue {
    /// The name of the queue
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The maximum number of runs that run at the same time
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) concurrency: Option<Limit<u32>>,

    /// The maximum number of them on one executor
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) per_executor: Option<Limit<u32>>,

    /// The maximum number of starts in this many seconds: 100/60
    #[arg(long, value_name = "N/SECONDS", value_parser = rate)]
    pub(crate) rate: Option<Limit<onward::records::Rate>>,

    /// The maximum number of runs of one partition that run at the same time
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) partition_concurrency: Option<Limit<u32>>,

    /// The maximum number of starts of one partition in this many seconds
    #[arg(long, value_name = "N/SECONDS", value_parser = rate)]
    pub(crate) partition_rate: Option<Limit<onward::records::Rate>>,

    #[command(flatten)]
    pub(crate) signed: Signed,
}
