//! Shared by the commands that send to runs: the result, and parsing of payloads.

use std::io::Read;

use onward_types::{Json, Sent};
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::exit::Failure;

/// The result of sending, for programs.
#[derive(Serialize)]
pub(super) struct Delivered<'a> {
    /// The run that it was sent to.
    pub(super) run: &'a str,
    /// The number of the message, and whether its key was new.
    #[serde(flatten)]
    pub(super) sent: Option<Sent>,
}

/// Parses a value: JSON, or else a string, so that it need not be quoted twice. `-` reads it from standard input.
pub(super) fn value(typed: &str) -> Result<Json, Failure> {
    let mut read = String::new();
    let typed = if typed == "-" {
        std::io::stdin().read_to_string(&mut read).map_err(Failure::io("read standard input"))?;
        read.trim_end()
    } else {
        typed
    };
    if serde_json::from_str::<IgnoredAny>(typed).is_ok() {
        return Ok(Json::from(typed.to_owned()));
    }
    Json::encode(typed).map_err(Failure::from)
}
