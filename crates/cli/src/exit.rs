//! How the command ends: with a meaningful exit code and, on failure, a message that says what to do.

use std::io;
use std::process::ExitCode;

use onward::{Code, Error};

/// The part of `--help` about exit codes, which are those of [`Exit`].
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  an argument is not valid
  3  the run, queue, schedule, hook or document does not exist
  4  the run that was watched or waited for failed, was cancelled or given up, or is held
  5  the database cannot be opened or reached
  6  none of the given runs changed: they had ended, or were in the requested state already
  7  the time limit of a wait passed";

/// The exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    /// The code that clap uses, too.
    Usage = 2,
    Unknown = 3,
    RunFailed = 4,
    NoDatabase = 5,
    Unchanged = 6,
    TimedOut = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The reason why the command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// Makes a failure of an I/O error. `doing` is what failed: "cannot {doing}".
    pub(crate) fn io(doing: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Failure {
        move |error| Failure::new(Exit::Failed, format!("cannot {doing}: {error}"))
    }

    /// If the database is the problem, adds which arguments to check.
    pub(crate) fn check(mut self, names: &str) -> Failure {
        if self.exit == Exit::NoDatabase {
            let end = if self.message.ends_with(['.', '?']) { "" } else { "." };
            self.message += &format!("{end} Check {names}");
        }
        self
    }

    /// Prints the message to stderr, unless it is empty.
    pub(crate) fn say(&self) {
        if !self.message.is_empty() {
            // Parts of it may be what a run recorded.
            let obeyed = |c: &char| c.is_control() && *c != '\n';
            let message: String = self.message.chars().map(|c| if obeyed(&c) { ' ' } else { c }).collect();
            eprintln!("onward: {message}");
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let exit = match error.kind() {
            Code::UnknownRun | Code::UnknownQueue | Code::UnknownSchedule | Code::UnknownHook => Exit::Unknown,
            Code::Invalid => Exit::Usage,
            Code::TimedOut => Exit::TimedOut,
            Code::Database | Code::Busy | Code::Schema => Exit::NoDatabase,
            _ => Exit::Failed,
        };
        Failure::new(exit, error.message())
    }
}
