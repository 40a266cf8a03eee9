//! What can go wrong between us and a database, by what the caller may do about it.

use onward_types::{Code, Error};

/// A failure of the database, sorted by its cure.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) cure: Cure,
    pub(crate) error: Error,
}

/// What may be done about a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    /// Nothing was written; the same again may succeed.
    TryAgain,
    /// The connection is gone, and what was last sent may or may not have been done.
    Reopen,
    /// The executor lost its fence: it must come back under a new id.
    Rejoin,
    /// Some value cannot be stored. The same again fails again.
    LeaveOut,
    /// None: a wrong argument, a corrupt row, a mistake of ours.
    None,
}

impl Fault {
    pub(crate) fn new(cure: Cure, code: Code, message: impl Into<String>) -> Fault {
        Fault { cure, error: Error::new(code, message) }
    }

    /// A row that cannot be understood: it names the table, the column and the row.
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Fault {
        Fault::new(Cure::None, Code::Corrupt, format!("a row cannot be understood: {what}"))
    }

    pub(crate) fn try_again(message: impl Into<String>) -> Fault {
        Fault::new(Cure::TryAgain, Code::Busy, message)
    }

    pub(crate) fn reopen(message: impl Into<String>) -> Fault {
        Fault::new(Cure::Reopen, Code::Database, message)
    }

    pub(crate) fn fenced() -> Fault {
        Fault::new(Cure::Rejoin, Code::Fenced, "this executor was declared dead and may write no more")
    }

    /// Whether the database is there and has no time, or no room for one more session.
    pub(crate) fn is_busy(&self) -> bool {
        self.error.kind() == Code::Busy
    }

    /// Whether waiting a little and trying again may cure it.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.cure, Cure::TryAgain | Cure::Reopen)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault { cure: Cure::None, error }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        fault.error
    }
}
