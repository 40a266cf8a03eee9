//! Formats output: tables and times for people, JSON for programs.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use console::Term;
use onward::Timestamp;
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Prints text for people.
pub(crate) fn say(text: impl std::fmt::Display) -> Result<(), Failure> {
    raw(format!("{text}\n").as_bytes())
}

/// Prints one JSON value on a line of its own.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value);
    let text = text.map_err(|error| Failure::new(Exit::Failed, format!("cannot write this as JSON: {error}")))?;
    raw(format!("{}\n", escaped(&text)).as_bytes())
}

/// The same JSON, in which the control characters that JSON does not escape by itself are escaped, too: a terminal obeys those
/// from U+0080 to U+009F. All of them are in strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() { text.push_str(&format!("\\u{:04x}", u32::from(c))) } else { text.push(c) }
    }
    text
}

/// Prints bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        // The reader closed the pipe because it has read enough, as `head` does.
        ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
        _ => Failure::io("print")(error),
    })
}

/// Makes a table with these headings. It is as wide as the terminal; in a pipe nothing is wrapped, so that each row is one line.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if let Some((_, width)) = Term::stdout().size_checked().filter(|_| Term::stdout().is_term()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

/// The table as text, without the padding of its last column.
pub(crate) fn rows(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Text for one cell: on one line, and without control characters that a terminal would obey.
pub(crate) fn cell(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The beginning of a text, for a cell.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return cell(text);
    }
    let head: String = text.chars().take(MOST - 1).collect();
    cell(&head) + "…"
}

pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

pub(crate) fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(dash, time)
}

/// The time from one instant to another, if both are known.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let took = from.zip(to).and_then(|(from, to)| Duration::try_from(to.duration_since(from)).ok());
    took.map_or_else(dash, duration)
}

/// What is shown for a missing value.
pub(crate) fn dash() -> String {
    "-".to_owned()
}

/// A duration in its two largest units.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A workflow and its version, which is open until an executor fixes it.
pub(crate) fn workflow(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("{name} version {version}"),
        None => format!("{name}, the newest version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_two_units_that_matter() {
        let said = [20, 1_500, 61_000, 3_660_000, 90_000_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(said, ["20 ms", "1.5 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn no_terminal_obeys_what_is_in_json() {
        let text = "a\u{9b}31m\u{7f}\u{1b}ä".to_owned();
        let said = escaped(&serde_json::to_string(&text).unwrap());
        assert_eq!(said, r#""a\u009b31m\u007f\u001bä""#);
        assert_eq!(serde_json::from_str::<String>(&said).unwrap(), text);
    }

    #[test]
    fn a_cell_is_one_line_that_no_terminal_obeys() {
        assert_eq!(cell("a\nb\u{1b}[31mc"), "a b [31mc");
        assert_eq!(excerpt(&"ä".repeat(100)).chars().count(), 60);
    }
}
