//! What the commands that talk to runs have in common: values, and payloads as they are typed.

use std::io::Read;

use onward_types::Json;
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::exit::Failure;

/// What was sent, for programs.
#[derive(Serialize)]
pub(super) struct Delivered<'a> {
    /// The run that has it now.
    pub(super) run: &'a str,
}

/// A value as it was typed: JSON, or else a text, for nobody wants to quote twice. `-` reads it from standard input.
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
