//! `onward queues …`

use clap::{Args as Arguments, Subcommand};

use super::Common;
use super::values::{Limit, count, rate};
use crate::exit;

/// Look at queues and steer them
#[derive(Debug, Arguments)]
pub(crate) struct Queues {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: QueueVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// List queues, and how many runs wait and run in each
    #[command(after_help = exit::CODES)]
    List,
    /// Show all that is known of a queue
    #[command(after_help = exit::CODES)]
    Show(Queue),
    Set(SetQueue),
    /// Start nothing more from a queue; what runs goes on
    #[command(after_help = exit::CODES)]
    Pause(Queue),
    /// Let a queue go on after a pause
    #[command(after_help = exit::CODES)]
    Resume(Queue),
    /// Delete a queue; runs that wait in it wait until there is one of its name again
    #[command(after_help = exit::CODES)]
    Delete(Queue),
}

#[derive(Debug, Arguments)]
pub(crate) struct Queue {
    /// The name of the queue
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Make a queue, or change its limits
///
/// A limit that is not given stays as it is; none lifts it. A change holds at once, for every executor.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct SetQueue {
    /// The name of the queue
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// How many of its runs may run at once
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) concurrency: Option<Limit<u32>>,

    /// How many of them one executor may have
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) per_executor: Option<Limit<u32>>,

    /// How many of its runs may start in so many seconds: 100/60
    #[arg(long, value_name = "N/SECONDS", value_parser = rate)]
    pub(crate) rate: Option<Limit<onward::Rate>>,

    /// How many runs of one partition may run at once
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) partition_concurrency: Option<Limit<u32>>,

    /// How many runs of one partition may start in so many seconds
    #[arg(long, value_name = "N/SECONDS", value_parser = rate)]
    pub(crate) partition_rate: Option<Limit<onward::Rate>>,
}
