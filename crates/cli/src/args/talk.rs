//! How runs are talked to: `onward runs send`, `event` and `stream`, and `onward hooks …`.

use std::time::Duration;

use clap::{Args as Arguments, Subcommand};

use super::Common;
use super::values::seconds;
use crate::exit;

/// Send a message to a run
///
/// It is kept if the run is there, and taken by the next call that waits for its topic. If the run waits for something of another
/// form, nothing is sent.
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

/// Show the messages of a run that no call has taken: those that wait, and those that were refused, with the reason
///
/// A message that does not fit what the run waits for is refused and kept. It can be replaced by one that fits, or deleted.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Messages {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Delete this message
    #[arg(long, value_name = "SEQ", conflicts_with = "replace")]
    pub(crate) delete: Option<i64>,

    /// Put another message in the place of this one, with its topic and key; JSON, or else a text; - reads it from standard input
    #[arg(long, num_args = 2, value_names = ["SEQ", "MESSAGE"], allow_hyphen_values = true)]
    pub(crate) replace: Option<Vec<String>>,
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
