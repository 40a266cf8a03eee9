//! The arguments of `onward inbox`.

use clap::Args as Arguments;
use onward::Timestamp;
use onward::records::Cursor;

use super::Common;
use crate::exit;

/// List what people have to do: every call of a run that waits for a person, newest first
///
/// Each line names what ends the wait: a message on a topic, which `onward runs send` sends, or a payload to a hook, which
/// `onward hooks resume` sends.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Inbox {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Only requests of this run
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,

    /// Only requests of runs of one of these workflows
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) workflow: Vec<String>,

    /// Only requests that began at this time or later: 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,

    /// Only requests that began before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,

    /// List the longest waiting first
    #[arg(long)]
    pub(crate) oldest_first: bool,

    /// The maximum number of requests
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,

    /// Continue after this: the `next` of the previous page
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,

    /// Show the page before this place: the `previous` of a page
    #[arg(long, value_name = "CURSOR", conflicts_with = "after")]
    pub(crate) before: Option<Cursor>,
}
