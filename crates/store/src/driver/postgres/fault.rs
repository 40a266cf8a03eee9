//! Classifies errors of PostgreSQL by their cure.

use std::error::Error as _;
use std::io;

use deadpool_postgres::{HookError, PoolError};
use onward_types::{Code, Error};
use tokio_postgres::error::{DbError, SqlState};

use crate::fault::{Cure, Fault};

/// The fault for an error of a statement, or of the connection.
pub(super) fn fault(error: tokio_postgres::Error) -> Fault {
    let (cure, code) = match error.as_db_error() {
        Some(said) => by_sqlstate(said.code().code()),
        None => (without_sqlstate(&error), Code::Database),
    };
    Fault::new(cure, code, format!("PostgreSQL: {}", sentence(&error)))
}

/// The statements that divide by zero if the executor or the run is no longer ours.
const FENCES: [&str; 2] = ["batch/fence", "transactions/own"];

/// The same, with the name of the statement.
pub(super) fn named(name: &str, error: tokio_postgres::Error) -> Fault {
    let divided = error.code().is_some_and(|state| *state == SqlState::DIVISION_BY_ZERO);
    let Fault { cure, error } = fault(error);
    if divided && FENCES.contains(&name) {
        return Fault::new(Cure::Rejoin, Code::Fenced, error.message());
    }
    Fault::new(cure, error.kind(), format!("{} (in {name})", error.message()))
}

/// The fault for not getting a connection from the pool.
pub(super) fn of_pool(error: PoolError) -> Fault {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => fault(error),
        PoolError::Timeout(_) => Fault::try_again("all connections to PostgreSQL are busy"),
        other => Fault::new(Cure::None, Code::Database, format!("PostgreSQL: {other}")),
    }
}

/// Tells an operator that the server allows too few connections.
pub(super) const FEW: &str = "PostgreSQL grants no more connections, so Onward works with fewer. An executor needs 3 and uses up to 23, a \
     client needs 2 and uses up to 11: raise `max_connections` of the server, or the connection limit of the role or the database";

/// Whether the server refuses further sessions.
pub(super) fn is_full(error: &PoolError) -> bool {
    let full = |error: &tokio_postgres::Error| error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS);
    matches!(error, PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) if full(error))
}

/// The fault for a server that does not grant a single session.
pub(super) fn too_few(error: &PoolError) -> Fault {
    let said = match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => sentence(error),
        other => other.to_string(),
    };
    Fault::try_again(format!("{FEW}. The server's error: {said}"))
}

/// The cure for an error reported by the server, by its class (the first two characters of the SQLSTATE) or its whole code.
fn by_sqlstate(state: &str) -> (Cure, Code) {
    match state {
        // A deadlock, a lock timeout, a cancelled statement, a statement timeout.
        "40P01" | "55P03" | "57014" => (Cure::TryAgain, Code::Busy),
        // The session ends, or its server has become a standby: it is unknown whether a commit in flight took effect.
        "25006" | "57P01" | "57P02" | "57P05" => (Cure::Reopen, Code::Database),
        // The server is starting up or shutting down.
        "57P03" | "57P04" => (Cure::TryAgain, Code::Database),
        // The transaction was idle for too long and was ended together with its session.
        "25P02" | "25P03" => (Cure::Reopen, Code::Database),
        // The statement is right but the database is not: a privilege was revoked, or the tables were dropped.
        "42501" | "42P01" => (Cure::TryAgain, Code::Database),
        _ => match state.get(..2) {
            Some("08") => (Cure::Reopen, Code::Database),
            Some("40") => (Cure::TryAgain, Code::Busy),
            // Login refused, or no such database; out of connections, memory or disk; an error of the operating system or of
            // the server itself.
            Some("28" | "3D" | "53" | "58" | "XX") => (Cure::TryAgain, Code::Database),
            // A value is malformed, violates a constraint, or is too large for an index.
            Some("22" | "23" | "54") => (Cure::LeaveOut, Code::Database),
            _ => (Cure::None, Code::Database),
        },
    }
}

fn without_sqlstate(error: &tokio_postgres::Error) -> Cure {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        // The client itself refuses to send a message that is too large.
        Some(io) if io.kind() == io::ErrorKind::InvalidInput => Cure::LeaveOut,
        Some(_) => Cure::Reopen,
        None if error.is_closed() => Cure::Reopen,
        None => Cure::None,
    }
}

/// The server's own message if there is one; the driver's "db error" would not help.
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

/// The fault for a failed connection: it names the location and a possible remedy. No statement was sent, so it may be tried
/// again.
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
        None if io.is_some_and(nobody) => ". Check that it is running there",
        _ => "",
    };
    let message = format!("PostgreSQL at {place} cannot be used: {}{remedy}", sentence(error));
    Fault { cure: Cure::TryAgain, error: Error::new(Code::Database, message) }
}

/// The error that a server accepts no writes. The driver checks this for each server, but has no useful message for it.
fn read_only(place: &str) -> Fault {
    let message = format!(
        "PostgreSQL at {place} accepts no writes: it is a standby, or `default_transaction_read_only` is on. Name the primary in the \
         URL (several servers as postgres://user@a,b/database), or allow the role to write"
    );
    Fault { cure: Cure::TryAgain, error: Error::new(Code::Database, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_cure() {
        for (state, cure) in [
            // Any division by zero outside a fence, for example in a trigger of another application.
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
