//! The arguments of `onward executors …`.

use clap::{Args as Arguments, Subcommand};

use super::Common;
use crate::exit;

/// Show executors: the processes that execute runs
#[derive(Debug, Arguments)]
pub(crate) struct Executors {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) verb: ExecutorVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExecutorVerb {
    /// List executors, with their workflows and how many runs each has
    #[command(after_help = exit::CODES)]
    List,
}
