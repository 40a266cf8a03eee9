//! User transactions on SQLite. A transaction occupies the writer thread, and with it the whole file, until it ends, so it has
//! a time limit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use onward_types::{Code, Error, Json, RunKey, micros};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Batch, Connection, ErrorCode, Statement, ToSql, params};
use tokio::sync::oneshot;

use super::Place;
use super::connection::{Plan, fault, plan_for, with_bare};
use super::writer::Mailbox;
use crate::change::Checkpoint;
use crate::driver::sql;
use crate::driver::transaction::value::{SqlRow, SqlValue};
use crate::driver::transaction::{Answer, Failure, Owner};
use crate::fault::Fault;

/// The time limit of a user transaction, during which nothing else is written to the file.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);
/// SQLite checks the time after this many virtual machine steps, which take some ten microseconds.
const STEPS: i32 = 1_000;

/// The async half: sends commands to the writer thread.
pub(crate) struct UserTransaction {
    commands: Sender<Command>,
    expired: Expired,
}

enum Command {
    Run { sql: String, values: Vec<SqlValue>, tell: oneshot::Sender<Result<Answer, Failure>> },
    Commit { run: RunKey, checkpoint: Box<Checkpoint>, tell: oneshot::Sender<Result<(), Failure>> },
}

/// Resolves when the time limit was exceeded.
#[derive(Clone)]
pub(crate) struct Expired(Option<Arc<tokio::sync::Notify>>);

impl Expired {
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "a transaction of PostgreSQL has no limit here"))]
    pub(crate) fn never() -> Expired {
        Expired(None)
    }

    pub(crate) async fn wait(&self) -> Failure {
        match &self.0 {
            Some(expired) => expired.notified().await,
            None => std::future::pending().await,
        }
        too_long()
    }
}

impl UserTransaction {
    /// Begin on the writer thread. `None`: the run was revoked from its executor.
    pub(super) async fn begin(mailbox: &Mailbox, place: Place, owner: Owner) -> Result<Option<UserTransaction>, Fault> {
        let (tell, told) = oneshot::channel();
        let (commands, to_do) = channel();
        let expired = Arc::new(tokio::sync::Notify::new());
        let expire = expired.clone();
        mailbox.run(Box::new(move |slot| {
            let keep = with_bare(slot, |connection| Ok(serve(connection, &place, &owner, tell, &to_do, &expire)));
            // A connection that is still inside a transaction cannot be used any more; the writer opens another. An in-memory
            // database has no other.
            if matches!(keep, Ok(false)) {
                *slot = None;
            }
        }))?;
        let begun = told.await.map_err(|_| Fault::try_again("the writer of the SQLite file has ended"))??;
        Ok(begun.then(|| UserTransaction { commands, expired: Expired(Some(expired)) }))
    }

    pub(crate) fn expired(&self) -> Expired {
        self.expired.clone()
    }

    pub(crate) async fn run(&mut self, sql: &str, values: Vec<SqlValue>) -> Result<Answer, Failure> {
        let (tell, told) = oneshot::channel();
        self.commands.send(Command::Run { sql: sql.to_owned(), values, tell }).map_err(|_| too_long())?;
        told.await.unwrap_or_else(|_| Err(too_long()))
    }

    pub(crate) async fn commit(self, run: RunKey, checkpoint: Checkpoint) -> Result<(), Failure> {
        let (tell, told) = oneshot::channel();
        let checkpoint = Box::new(checkpoint);
        self.commands.send(Command::Commit { run, checkpoint, tell }).map_err(|_| too_long())?;
        let ended = || Error::new(Code::Database, "the writer of the SQLite file has ended");
        told.await.unwrap_or_else(|_| Err(Failure::Unknown(ended())))
    }
}

fn too_long() -> Failure {
    let message = format!(
        "the transaction took longer than {LIMIT:?}, during which nothing else can be written to the SQLite file: do slow work in \
         a step before it"
    );
    Failure::Failed(Error::new(Code::TimedOut, message))
}

/// Serve one transaction on the writer thread, from its beginning to its end. `false`: the connection could not be rolled back.
fn serve(
    connection: &mut Connection,
    place: &Place,
    owner: &Owner,
    tell: oneshot::Sender<Result<bool, Fault>>,
    to_do: &Receiver<Command>,
    expire: &tokio::sync::Notify,
) -> bool {
    let begun = place.check_often().and_then(|()| begin(connection, owner));
    let goes_on = matches!(begun, Ok(true));
    // If the caller was dropped, there will be no commands, and the transaction is rolled back.
    tell.send(begun).ok();
    if goes_on {
        obey(connection, place, to_do, expire);
    }
    connection.is_autocommit() || connection.execute_batch("rollback").is_ok()
}

fn begin(connection: &Connection, owner: &Owner) -> Result<bool, Fault> {
    connection.execute_batch("begin immediate").map_err(fault)?;
    let mut owned = connection.prepare_cached(sql!("transactions/begin").sqlite()).map_err(fault)?;
    owned.exists(params![owner.run.as_bytes(), owner.executor.as_str(), owner.owners]).map_err(fault)
}

fn obey(connection: &mut Connection, place: &Place, to_do: &Receiver<Command>, expire: &tokio::sync::Notify) {
    let end = crate::real_time::now() + LIMIT;
    loop {
        match to_do.recv_timeout(end.saturating_duration_since(crate::real_time::now())) {
            Ok(Command::Run { sql, values, tell }) => {
                let ran = limited(connection, end, |connection| run(connection, &sql, &values));
                // A statement whose caller was dropped is recorded by `Midway` on the async side.
                tell.send(ran).ok();
            }
            Ok(Command::Commit { run, checkpoint, tell }) => {
                let committed = commit(connection, run, &checkpoint)
                    .and_then(|()| place.check_often().map_err(|lost| Failure::Unknown(lost.error)));
                tell.send(committed).ok();
                return;
            }
            Err(RecvTimeoutError::Timeout) => return expire.notify_one(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Do `work`, interrupting it when the time limit is exceeded.
fn limited<T>(
    connection: &mut Connection,
    end: Instant,
    work: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let watch = connection.progress_handler(STEPS, Some(move || crate::real_time::now() >= end));
    watch.map_err(|error| failure(&error))?;
    let done = work(connection);
    let unwatch = connection.progress_handler(0, None::<fn() -> bool>);
    unwatch.map_err(|error| failure(&error))?;
    done
}

/// A user's statement is planned for its values, as SQLite does by itself. One that finds nothing by them has only one plan, and
/// leaves the statements in the cache as they are: to prepare those of a batch again takes longer than the batch.
fn run(connection: &Connection, sql: &str, values: &[SqlValue]) -> Result<Answer, Failure> {
    if values.is_empty() || !may_search(sql) {
        return answer(connection, sql, values);
    }
    plan_for(connection, Plan::TheseValues).map_err(|error| failure(&error))?;
    let answer = answer(connection, sql, values);
    plan_for(connection, Plan::AllValues).map_err(|error| failure(&error))?;
    answer
}

/// Whether a value may decide how the statement is executed. Without these words it only inserts, or changes all rows.
fn may_search(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    ["where", "limit", "join", "select"].iter().any(|word| sql.contains(word))
}

fn answer(connection: &Connection, sql: &str, values: &[SqlValue]) -> Result<Answer, Failure> {
    let mut batch = Batch::new(connection, sql);
    let mut next = || batch.next().map_err(|error| failure(&error));
    let Some(mut statement) = next()? else { return Err(invalid("the statement is empty")) };
    // SQLite would silently ignore what follows.
    if next()?.is_some() {
        return Err(invalid("the text contains several statements: send them one after another"));
    }
    bind(&mut statement, values)?;
    let before = connection.total_changes();
    let rows = rows(&mut statement).map_err(|error| failure(&error))?;
    let changed = match statement.readonly() {
        true => rows.len() as u64,
        // A statement that changes no rows, such as `create table`, leaves the count of the previous statement.
        false if connection.total_changes() == before => 0,
        false => connection.changes(),
    };
    Ok((rows, changed))
}

/// Bind `$1` and `?1` to the first value, wherever they occur; a bare `?` counts by itself.
fn bind(statement: &mut Statement<'_>, values: &[SqlValue]) -> Result<(), Failure> {
    let mut highest = 0;
    for at in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(at) {
            None => at,
            Some(name) => {
                let number = name.get(1..).and_then(|digits| digits.parse().ok());
                number.ok_or_else(|| invalid(format!("parameter `{name}` has no number: write `$1`")))?
            }
        };
        highest = highest.max(number);
        let value = values.get(number.wrapping_sub(1)).ok_or_else(|| wrong_count(number, values.len()))?;
        statement.raw_bind_parameter(at, value).map_err(|error| failure(&error))?;
    }
    if highest == values.len() { Ok(()) } else { Err(wrong_count(highest, values.len())) }
}

fn wrong_count(wanted: usize, given: usize) -> Failure {
    invalid(format!("the statement has parameters up to ${wanted}, but {given} were given"))
}

fn rows(statement: &mut Statement<'_>) -> rusqlite::Result<Vec<SqlRow>> {
    let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns.len()).map(|at| row.get::<_, Value>(at).map(SqlValue::from));
        all.push(SqlRow { columns: columns.clone(), values: values.collect::<rusqlite::Result<_>>()? });
    }
    Ok(all)
}

fn commit(connection: &Connection, run: RunKey, it: &Checkpoint) -> Result<(), Failure> {
    let (output, error) = (it.result.as_ref().ok().map(Json::as_str), it.result.as_ref().err().map(Json::as_str));
    let seq = i64::try_from(it.seq).unwrap_or(i64::MAX);
    let written = connection.prepare_cached(sql!("checkpoints/insert").sqlite()).and_then(|mut insert| {
        insert.execute(params![
            run.as_bytes(),
            it.position,
            seq,
            it.kind.as_str(),
            &*it.name,
            output,
            error,
            micros(it.started_at),
            micros(it.finished_at),
            it.notes.as_ref().map(Json::as_str)
        ])
    });
    written.map_err(|error| failure(&error))?;
    crate::crash::point("transaction.written");
    connection.execute_batch("commit").map_err(|error| match failure(&error) {
        Failure::Lost(error) => Failure::Unknown(error),
        other => other,
    })
}

fn failure(error: &rusqlite::Error) -> Failure {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return too_long();
    }
    let said = Error::new(Code::Database, format!("SQLite: {error}"));
    match error.sqlite_error_code() {
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase,
        ) => Failure::Lost(said),
        _ => Failure::Failed(said),
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::Failed(Error::fatal(Error::new(Code::Invalid, message)))
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            SqlValue::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            SqlValue::Bool(it) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*it))),
            SqlValue::Int(it) => ToSqlOutput::Borrowed(ValueRef::Integer(*it)),
            SqlValue::Float(it) => ToSqlOutput::Borrowed(ValueRef::Real(*it)),
            SqlValue::Text(it) => ToSqlOutput::Borrowed(ValueRef::Text(it.as_bytes())),
            SqlValue::Bytes(it) => ToSqlOutput::Borrowed(ValueRef::Blob(it)),
        })
    }
}

impl From<Value> for SqlValue {
    fn from(value: Value) -> SqlValue {
        match value {
            Value::Null => SqlValue::Null,
            Value::Integer(it) => SqlValue::Int(it),
            Value::Real(it) => SqlValue::Float(it),
            Value::Text(it) => SqlValue::Text(it),
            Value::Blob(it) => SqlValue::Bytes(it),
        }
    }
}

impl super::Sqlite {
    /// Begin a user transaction. `None`: the run was revoked from its executor.
    pub(crate) async fn begin(&self, owner: Owner) -> Result<Option<UserTransaction>, Fault> {
        UserTransaction::begin(&self.0.mailbox, self.0.place.clone(), owner).await
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn an_insert_of_a_user_leaves_the_cached_statements_prepared() {
        let connection = crate::driver::sqlite::migrated();
        connection.execute_batch("create table payments (cents integer)").unwrap();
        let prepared = || {
            let mut cached = connection.prepare_cached("select batch from fences where executor = ?1").unwrap();
            cached.exists(["a"]).unwrap();
            cached.get_status(StatementStatus::RePrepare)
        };
        let user = |sql: &str| run(&connection, sql, &[SqlValue::Int(7)]).unwrap();
        let before = (prepared(), prepared());
        assert_eq!(before.0, before.1);
        user("insert into payments (cents) values (?1)");
        assert_eq!(prepared(), before.0);
        user("Select cents from payments Where cents = ?1");
        assert!(prepared() > before.0, "it was planned for its value");
    }
}
