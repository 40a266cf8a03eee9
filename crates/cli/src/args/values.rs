//! Parses the values of arguments.

use std::time::Duration;

use onward::Json;
use onward::records::Rate;
use serde_json::value::RawValue;

/// A limit to set, or `None` to remove it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit<T>(pub(crate) Option<T>);

/// The value that removes a limit.
const NONE: &str = "none";

pub(super) fn json(text: &str) -> Result<Json, String> {
    let raw = serde_json::from_str::<&RawValue>(text).map_err(|error| format!("not valid JSON: {error}"))?;
    Ok(Json::from(raw.get().to_owned()))
}

/// Parses `key=value`. A value that is not JSON is a string, so that it need not be quoted twice.
pub(super) fn attribute(text: &str) -> Result<(String, Json), String> {
    let (key, value) = text.split_once('=').ok_or("write an attribute as KEY=VALUE")?;
    let json = json(value).or_else(|_| Json::encode(value).map_err(|error| error.to_string()));
    Ok((key.to_owned(), json?))
}

/// Parses `key=number`.
pub(super) fn number(text: &str) -> Result<(String, f64), String> {
    let (key, number) = text.split_once('=').ok_or("write a bound as KEY=NUMBER")?;
    Ok((key.to_owned(), number.parse().map_err(|_| format!("`{number}` is not a number"))?))
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "not a number of seconds".to_owned())
}

pub(super) fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

pub(super) fn count(text: &str) -> Result<Limit<u32>, String> {
    let limit = if text == NONE { None } else { Some(text.parse().map_err(|_| "give a number, or none".to_owned())?) };
    Ok(Limit(limit))
}

/// Parses a rate: `100/60` is 100 in a minute.
pub(super) fn rate(text: &str) -> Result<Limit<Rate>, String> {
    if text == NONE {
        return Ok(Limit(None));
    }
    let (count, period) = text.split_once('/').ok_or("write a rate as N/SECONDS, or none")?;
    let count = count.parse().map_err(|_| format!("`{count}` is not a number of starts"))?;
    Ok(Limit(Some(Rate { count, period: seconds(period)? })))
}
