//! The arguments of `onward changes`.

use clap::Args as Arguments;

use super::Common;
use super::runs::Which;
use crate::exit;

/// Follow the runs that change, in all processes
///
/// It begins with a snapshot: every matching run once. Then each run that changed is printed on a line, as it changes; a run that
/// no longer matches is printed once more. With --json a line is one item of the feed, with a cursor from which to go on later.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Changes {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Go on after this item; if changes since then are gone, a snapshot comes first
    #[arg(long, value_name = "CURSOR", conflicts_with = "from_now")]
    pub(crate) after: Option<String>,

    /// Leave out the snapshot
    #[arg(long)]
    pub(crate) from_now: bool,

    /// Stop when everything up to now is printed; changes are kept for some minutes for --after
    #[arg(long)]
    pub(crate) until_current: bool,

    #[command(flatten)]
    pub(crate) which: Which,
}
