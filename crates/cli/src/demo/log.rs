//! The log of what really ran: a line when a step's body begins, and one when it ends.
//!
//! The process that runs a body writes it before and after the body, without the journal. That makes it independent evidence.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use onward::Timestamp;
use serde::{Deserialize, Serialize};

/// A line of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) mark: Mark,
    pub(super) run: String,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) pid: u32,
    /// The number of the executor process, from 1.
    pub(super) life: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mark {
    Begin,
    End,
}

/// The id of a run, and the name of a step in it.
pub(super) type StepOf = (String, String);

impl Line {
    pub(super) fn step_of(&self) -> StepOf {
        (self.run.clone(), self.step.clone())
    }
}

/// The path of the log in a working folder.
pub(super) fn path(work: &Path) -> PathBuf {
    work.join("steps.log")
}

/// Writes the log.
pub(super) struct StepLog {
    file: File,
    life: u32,
    /// The number of different bodies that may begin. Without it, a fast machine could finish before the kill.
    hold_at: usize,
    begun: Mutex<HashSet<StepOf>>,
}

impl StepLog {
    pub(super) fn open(work: &Path, life: u32, hold_at: usize) -> io::Result<StepLog> {
        // In append mode one `write` is one line, even if other processes write, too.
        let file = OpenOptions::new().create(true).append(true).open(path(work))?;
        let mut before = Follow::new(work);
        let begun = before.next_lines()?.iter().filter(|line| line.mark == Mark::Begin).map(Line::step_of).collect();
        Ok(StepLog { file, life, hold_at, begun: Mutex::new(begun) })
    }

    /// Records that a body begins, or waits for the kill if enough have begun.
    pub(super) async fn begin(&self, run: &str, step: &str, attempt: u32) -> io::Result<()> {
        if !self.may_begin(run, step) {
            return std::future::pending().await;
        }
        self.note(Mark::Begin, run, step, attempt)
    }

    pub(super) fn end(&self, run: &str, step: &str, attempt: u32) -> io::Result<()> {
        self.note(Mark::End, run, step, attempt)
    }

    fn may_begin(&self, run: &str, step: &str) -> bool {
        let step_of = (run.to_owned(), step.to_owned());
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.len() >= self.hold_at && !begun.contains(&step_of) {
            return false;
        }
        begun.insert(step_of);
        true
    }

    fn note(&self, mark: Mark, run: &str, step: &str, attempt: u32) -> io::Result<()> {
        let (run, step) = (run.to_owned(), step.to_owned());
        let line = Line { at: Timestamp::now(), mark, run, step, attempt, pid: std::process::id(), life: self.life };
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        (&self.file).write_all(text.as_bytes())
    }
}

/// Reads the log while it grows.
pub(super) struct Follow {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line that is not complete yet.
    rest: Vec<u8>,
}

impl Follow {
    pub(super) fn new(work: &Path) -> Follow {
        Follow { path: path(work), file: None, rest: Vec::new() }
    }

    /// The lines added since the last call.
    pub(super) fn next_lines(&mut self) -> io::Result<Vec<Line>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                // No body has run yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                opened => Some(opened?),
            };
        }
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.rest)?;
        }
        let whole = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
    }
}
