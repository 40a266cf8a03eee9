//! What an error of PostgreSQL lets one do.

use std::error::Error as _;
use std::io;

use deadpool_postgres::{HookError, PoolError};
use onward_types::{Code, Error};
use tokio_postgres::error::{DbError, SqlState};

use crate::fault::{Cure, Fault};

/// An error of a statement, or of the connection under it.
pub(super) fn fault(error: tokio_postgres::Error) -> Fault {
    let (cure, code) = match error.as_db_error() {
        Some(said) => by_sqlstate(said.code().code()),
        None => (without_sqlstate(&error), Code::Database),
    };
    Fault::new(cure, code, format!("PostgreSQL: {}", sentence(&error)))
}

/// The statements that divide by zero where the executor or the run is no longer ours.
const FENCES: [&str; 2] = ["batch/fence", "transactions/own"];

/// The same, naming the statement.
pub(super) fn named(name: &str, error: tokio_postgres::Error) -> Fault {
    let divided = error.code().is_some_and(|state| *state == SqlState::DIVISION_BY_ZERO);
    let Fault { cure, error } = fault(error);
    if divided && FENCES.contains(&name) {
        return Fault::new(Cure::Rejoin, Code::Fenced, error.message());
    }
    Fault::new(cure, error.kind(), format!("{} (in {name})", error.message()))
}

/// No connection could be had from the pool.
pub(super) fn of_pool(error: PoolError) -> Fault {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => fault(error),
        PoolError::Timeout(_) => Fault::try_again("all connections to PostgreSQL are busy"),
        other => Fault::new(Cure::None, Code::Database, format!("PostgreSQL: {other}")),
    }
}

/// What an operator is told who grants too few connections.
pub(super) const FEW: &str = "PostgreSQL grants no more connections, so Onward works with fewer. An executor needs 3 and uses up to 23, a \
     client 2 and up to 11: raise `max_connections` of the server, or the connection limit of the role or the database";

/// Whether the server grants no more sessions.
pub(super) fn is_full(error: &PoolError) -> bool {
    let full = |error: &tokio_postgres::Error| error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS);
    matches!(error, PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) if full(error))
}

/// The server grants not even one.
pub(super) fn too_few(error: &PoolError) -> Fault {
    let said = match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => sentence(error),
        other => other.to_string(),
    };
    Fault::try_again(format!("{FEW}. It said: {said}"))
}

/// What may be done after an error that the server told, by its class (the first two characters) or its whole code.
fn by_sqlstate(state: &str) -> (Cure, Code) {
    match state {
        // A deadlock, a lock that was not obtained in time, a statement that was cancelled or took too long.
        "40P01" | "55P03" | "57014" => (Cure::TryAgain, Code::Busy),
        // The session ends, or it is one of a standby now: whether a commit in flight still counted is not known.
        "25006" | "57P01" | "57P02" | "57P05" => (Cure::Reopen, Code::Database),
        // It starts up, or shuts down.
        "57P03" | "57P04" => (Cure::TryAgain, Code::Database),
        // The transaction sat idle for too long and was ended with its session.
        "25P02" | "25P03" => (Cure::Reopen, Code::Database),
        // Not what was asked but the place is wrong: a right was taken away, or the tables were.
        "42501" | "42P01" => (Cure::TryAgain, Code::Database),
        _ => match state.get(..2) {
            Some("08") => (Cure::Reopen, Code::Database),
            Some("40") => (Cure::TryAgain, Code::Busy),
            // Nobody is let in, or there is no such database; out of connections, memory or disk; an error of the
            // operating system, or of the server itself.
            Some("28" | "3D" | "53" | "58" | "XX") => (Cure::TryAgain, Code::Database),
            // A value that is malformed, breaks a constraint, or is too large for an index.
            Some("22" | "23" | "54") => (Cure::LeaveOut, Code::Database),
            _ => (Cure::None, Code::Database),
        },
    }
}

fn without_sqlstate(error: &tokio_postgres::Error) -> Cure {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        // The client's own refusal to send a message that is too large.
        Some(io) if io.kind() == io::ErrorKind::InvalidInput => Cure::LeaveOut,
        Some(_) => Cure::Reopen,
        None if error.is_closed() => Cure::Reopen,
        None => Cure::None,
    }
}

/// The server's own words where it said something; "db error" helps nobody.
pub(super) fn sentence(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => told(said),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

fn told(said: &DbError) -> String {
    let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail}", said.message())
}

/// No connection at all: says where was knocked, and what may help. Nothing was asked, so it may be tried again.
pub(super) fn unreachable(place: &str, error: &tokio_postgres::Error) -> Fault {
    let io: Option<&io::Error> = error.source().and_then(|source| source.downcast_ref());
    if io.is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied) {
        return read_only(place);
    }
    let nobody = |io: &io::Error| io.kind() != io::ErrorKind::InvalidData;
    let remedy = match error.as_db_error().map(|said| said.code().code()) {
        Some("3D000") => ". Create the database, or correct the URL",
        Some("28P01") => ". Correct the user or the password in the URL",
        Some("53300") => {
            return Fault::try_again(format!("PostgreSQL at {place} cannot be used: {}. {FEW}", sentence(error)));
        }
        None if io.is_some_and(nobody) => ". Is it running there?",
        _ => "",
    };
    let message = format!("PostgreSQL at {place} cannot be used: {}{remedy}", sentence(error));
    Fault { cure: Cure::TryAgain, error: Error::new(Code::Database, message) }
}

/// The driver asks each server whether it takes writes, and has no words of its own for one that does not.
fn read_only(place: &str) -> Fault {
    let message = format!(
        "PostgreSQL at {place} takes no writes: it is a standby, or `default_transaction_read_only` is on. Name the primary in the \
         URL (several servers as postgres://user@a,b/database), or let the role write"
    );
    Fault { cure: Cure::TryAgain, error: Error::new(Code::Database, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_cure() {
        for (state, cure) in [
            // Whatever divides by zero but a fence, as a trigger of somebody else does.
            ("22012", Cure::LeaveOut),
            ("22021", Cure::LeaveOut),
            ("23505", Cure::LeaveOut),
            ("54000", Cure::LeaveOut),
            ("40001", Cure::TryAgain),
            ("40P01", Cure::TryAgain),
            ("55P03", Cure::TryAgain),
            ("57014", Cure::TryAgain),
            ("53300", Cure::TryAgain),
            ("57P01", Cure::Reopen),
            ("08006", Cure::Reopen),
            ("28P01", Cure::TryAgain),
            ("42804", Cure::None),
        ] {
            assert_eq!(by_sqlstate(state).0, cure, "{state}");
        }
    }
}
