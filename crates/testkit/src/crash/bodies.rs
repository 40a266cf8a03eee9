//! What the world outside sees of the bodies of steps: a line in a file when one begins, and one when it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// The key of the run, and the position of the step in it: the step's idempotency key.
    pub key: String,
    /// The id of the run.
    pub run: String,
    /// The name of the step.
    pub step: String,
    /// Which attempt.
    pub attempt: u32,
    /// In which process.
    pub pid: u32,
    /// What the body gave; none when it begins.
    pub gave: Option<Gave>,
}

/// What a body gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gave {
    /// A value.
    Value(u64),
    /// An error.
    Error,
}

/// The file. Lines of several processes do not mix: each is written in one piece, at the end.
#[derive(Debug)]
pub struct Log(File);

impl Log {
    /// Open the file, making it if there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Log> {
        OpenOptions::new().append(true).create(true).open(path).map(Log)
    }

    /// Write one line.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, line: &Line) -> io::Result<()> {
        // A line before it that was torn ends here, and harms no other.
        let text = format!("\n{}", serde_json::to_string(line)?);
        (&self.0).write_all(text.as_bytes())
    }
}

/// Everything that was written so far. A process that is killed while it writes may leave half a line, which says nothing.
///
/// # Errors
/// Those of the file system, and a whole line that cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path)?;
    let whole = text.lines().filter(|line| line.starts_with('{') && line.ends_with('}'));
    whole.map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
}

/// The time as lines have it.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
