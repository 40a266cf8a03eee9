//! The arguments of `onward workflows`.

use clap::Args as Arguments;

use super::Common;
use crate::exit;

/// List workflows: their versions, the executors that have them, and their open runs
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Workflows {
    #[command(flatten)]
    pub(crate) common: Common,
}
