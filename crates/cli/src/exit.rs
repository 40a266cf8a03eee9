//! How the command ends: an exit code that means something, and a sentence that says what to do.

use std::io;
use std::process::ExitCode;

use onward::{Code, Error};

/// Shown by `--help`. The codes are [`Exit`]'s.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  what was asked for cannot be understood
  3  no run, queue or schedule is called so, or no hook has that token
  4  the watched run failed, was cancelled, given up or is held
  5  the database cannot be opened or reached";

/// The end of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    /// What clap uses, too.
    Usage = 2,
    Unknown = 3,
    RunFailed = 4,
    NoDatabase = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why the command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// An I/O error of the machine's own, with what was being done.
    pub(crate) fn io(doing: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Failure {
        move |error| Failure::new(Exit::Failed, format!("cannot {doing}: {error}"))
    }

    /// Where the database is what is wrong, say what names it.
    pub(crate) fn check(mut self, names: &str) -> Failure {
        if self.exit == Exit::NoDatabase {
            let end = if self.message.ends_with(['.', '?']) { "" } else { "." };
            self.message += &format!("{end} Check {names}");
        }
        self
    }

    /// Say it where errors go. One without words says nothing.
    pub(crate) fn say(&self) {
        if !self.message.is_empty() {
            eprintln!("onward: {}", self.message);
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let exit = match error.kind() {
            Code::UnknownRun | Code::UnknownQueue | Code::UnknownSchedule | Code::UnknownHook => Exit::Unknown,
            Code::Invalid => Exit::Usage,
            Code::Database | Code::Busy | Code::Schema => Exit::NoDatabase,
            _ => Exit::Failed,
        };
        Failure::new(exit, error.message())
    }
}
