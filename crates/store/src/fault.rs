//! Failures of the database, classified by what the caller may do.

use onward_types::{Code, Error};

/// A failure of the database with its cure.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) cure: Cure,
    pub(crate) error: Error,
}

/// What the caller may do about a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    /// Nothing was written; a retry may succeed.
    TryAgain,
    /// The connection is lost, and it is unknown whether the last statement took effect.
    Reopen,
    /// The executor lost its fence: it must join again under a new id.
    Rejoin,
    /// A value cannot be stored. A retry would fail again.
    LeaveOut,
    /// Nothing helps: a wrong argument, a corrupt row, or a bug.
    None,
}

impl Fault {
    pub(crate) fn new(cure: Cure, code: Code, message: impl Into<String>) -> Fault {
        Fault { cure, error: Error::new(code, message) }
    }

    /// A row that cannot be read. `what` names the table, the column and the row.
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Fault {
        Fault::new(Cure::None, Code::Corrupt, format!("a row cannot be read: {what}"))
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

    /// Whether the database is reachable but has no time, or no room for another session.
    pub(crate) fn is_busy(&self) -> bool {
        self.error.kind() == Code::Busy
    }

    /// Whether a retry after a short wait may succeed.
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
