//! The arguments of `onward runs send`, `messages`, `event` and `stream`, and of `onward hooks …`.

use std::time::Duration;

use clap::{Args as Arguments, Subcommand};

use super::Common;
use super::values::seconds;
use crate::exit;

/// Send a message to a run
///
/// The message is stored, and the next call of the run that waits on its topic consumes it. If the run waits for a value of another
/// form, nothing is sent.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Send {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The topic
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: String,

    /// The message: JSON, or else a string; - reads it from standard input
    #[arg(value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) message: String,

    /// Send the message only once: another one with this key to this run is ignored
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,
}

/// Show the messages to a run that no call has consumed: those that wait, and those that were refused, with the reason
///
/// A message that does not fit what the run waits for is refused and kept. Replace it by one that fits, or delete it.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Messages {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Delete this message
    #[arg(long, value_name = "SEQ", conflicts_with = "replace")]
    pub(crate) delete: Option<i64>,

    /// Replace this message by another with the same topic and key; JSON, or else a string; - reads it from standard input
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

    /// The key of the event; without a key, all events are shown
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Wait up to this many seconds if it is not set yet
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "key")]
    pub(crate) wait: Option<Duration>,
}

/// Read a stream of a run, live, until it ends
///
/// A stream ends when the run closes it or ends. Each chunk is printed on a line; values are JSON.
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct Stream {
    /// The id of the run
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The key of the stream
    #[arg(value_name = "KEY", default_value = "default")]
    pub(crate) key: String,

    /// The index to begin at; -3 is three chunks before the end
    #[arg(long, value_name = "INDEX", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) from: i64,

    /// Leave out chunks of step attempts whose result was not recorded
    #[arg(long)]
    pub(crate) committed: bool,

    /// Stop after the last chunk that exists now
    #[arg(long)]
    pub(crate) now: bool,

    /// Print strings and bytes as they are, with nothing between them
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,

    /// List the streams of the run instead of reading one
    #[arg(long)]
    pub(crate) list: bool,
}

/// Send to runs by the tokens of their hooks
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

/// Send a payload to the hook with this token
#[derive(Debug, Arguments)]
#[command(after_help = exit::CODES)]
pub(crate) struct ResumeHook {
    /// The token
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,

    /// The payload: JSON, or else a string; - reads it from standard input
    #[arg(value_name = "PAYLOAD", default_value = "null", allow_hyphen_values = true)]
    pub(crate) payload: String,

    /// Send the payload only once: another one with this key to this hook is ignored
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,
}
