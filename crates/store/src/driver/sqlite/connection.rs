//! Connections to a SQLite file: opening them, waiting for other writers, and reading rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use onward_types::{Code, RunKey};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use super::Place;
use crate::driver::{Param, Sql};
use crate::fault::{Cure, Fault};
use crate::url::Synchronous;

/// Open the first connection. Creates the file if there is none.
pub(super) fn make(place: &Place) -> Result<Connection, Fault> {
    let connection = match &place.path {
        Some(path) => open_as(place, path, OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI)?,
        None => Connection::open_in_memory().map_err(fault)?,
    };
    prepared(connection, place)
}

/// Open another connection for writing and reading. Creates no file: the opened file exists, or it is lost.
pub(super) fn open(place: &Place) -> Result<Connection, Fault> {
    place.check()?;
    let connection = match &place.path {
        Some(path) => open_existing(place, path)?,
        None => Connection::open_in_memory().map_err(fault)?,
    };
    let connection = prepared(connection, place)?;
    place.check()?;
    Ok(connection)
}

/// Open an existing file without changing anything.
pub(super) fn open_existing(place: &Place, path: &Path) -> Result<Connection, Fault> {
    open_as(place, path, OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI - OpenFlags::SQLITE_OPEN_CREATE)
}

/// Never as a URI, because `file:x.db` would be another name of `x.db`.
fn open_as(place: &Place, path: &Path, flags: OpenFlags) -> Result<Connection, Fault> {
    Connection::open_with_flags(path, flags).map_err(|error| unopened(&place.name, error))
}

fn unopened(name: &str, error: rusqlite::Error) -> Fault {
    let message = format!("the SQLite file {name} cannot be opened: {error}");
    Fault { error: onward_types::Error::new(Code::Database, message), ..fault(error) }
}

/// A read-only connection.
pub(super) fn open_reader(place: &Place) -> Result<Connection, Fault> {
    let connection = open(place)?;
    connection.pragma_update(None, "query_only", true).map_err(fault)?;
    Ok(connection)
}

fn prepared(mut connection: Connection, place: &Place) -> Result<Connection, Fault> {
    prepare(&mut connection, place)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, place: &Place) -> Result<(), Fault> {
    wait_for_others(connection)?;
    connection.set_prepared_statement_cache_capacity(128);
    plan_for(connection, Plan::AllValues).map_err(fault)?;
    rusqlite::vtab::array::load_module(connection).map_err(fault)?;
    let failed = |error| fault_in(place.path.as_ref().map(|_| &place.name), error);
    let pragma = |name: &str, value: &dyn ToSql| connection.pragma_update(None, name, value).map_err(failed);
    // Two connections that switch a new file to WAL at the same time wait for each other; SQLite then fails one of them without
    // calling the busy handler.
    let mut tries = 0;
    while let Err(busy) = pragma("journal_mode", &"wal") {
        if busy.error.kind() != Code::Busy || !wait_a_little(tries) {
            return Err(busy);
        }
        tries += 1;
    }
    // Read back below, because SQLite silently ignores an unknown value.
    let (word, number) = match place.synchronous {
        Synchronous::Full => ("full", 2),
        Synchronous::Normal => ("normal", 1),
    };
    pragma("synchronous", &word)?;
    let stands: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(fault)?;
    if stands != number {
        let message = format!("SQLite uses `synchronous` = {stands} although {word} was requested");
        return Err(Fault::new(Cure::None, Code::Database, message));
    }
    // On macOS an ordinary fsync leaves the data in the disk's own cache.
    pragma("fullfsync", &true)?;
    pragma("checkpoint_fullfsync", &true)?;
    pragma("cache_size", &-16_000)?;
    pragma("journal_size_limit", &(64 * 1024 * 1024))?;
    pragma("temp_store", &"memory")
}

/// What SQLite plans a statement for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// All values of its parameters: it is planned once.
    AllValues,
    /// These values. SQLite parses and plans it again whenever a parameter is bound that might decide which index is best: every
    /// `limit`, and every key in a file that was analysed.
    TheseValues,
}

/// Choose what the next statements of this connection are planned for. By itself SQLite plans for the values. A change makes it
/// prepare every statement in the cache again: see `docs/decisions/0006-the-writers-plans.md`.
pub(super) fn plan_for(connection: &Connection, plan: Plan) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, plan == Plan::AllValues).map(drop)
}

/// Use our own busy handler while another process writes.
pub(super) fn wait_for_others(connection: &mut Connection) -> Result<(), Fault> {
    connection.busy_handler(Some(wait_a_little)).map_err(fault)
}

/// Another process is writing: wait 0.1 to 0.5 ms and try again, for about 10 s. SQLite's own handler waits up to 100 ms, which
/// starves clients beside an executor that commits back to back (median 2,434 ms for an enqueue; with this one 4.6).
fn wait_a_little(tries: i32) -> bool {
    let spread = u64::from(tries.unsigned_abs().wrapping_mul(2_654_435_761) % 400);
    crate::real_time::block(Duration::from_micros(100 + spread));
    tries < 30_000
}

/// Classifies an error of SQLite by its cure.
pub(super) fn fault(error: rusqlite::Error) -> Fault {
    if let rusqlite::Error::StatementChangedRows(_) = error {
        return Fault::new(Cure::LeaveOut, Code::Database, "SQLite: a message was already consumed");
    }
    let Some(code) = error.sqlite_error_code() else {
        return Fault::new(Cure::None, Code::Database, format!("SQLite: {error}"));
    };
    let (cure, kind) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (Cure::TryAgain, Code::Busy),
        ErrorCode::DiskFull | ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted => {
            (Cure::TryAgain, Code::Database)
        }
        // Continuing would only make it worse, for this process and for a later recovery of the file.
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => (Cure::Rejoin, Code::Database),
        // After a failed write or fsync, pages that seemed written may be lost, and a later fsync would not report it.
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::FileLockingProtocolFailed => {
            (Cure::Reopen, Code::Database)
        }
        ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => {
            (Cure::LeaveOut, Code::Database)
        }
        _ => (Cure::None, Code::Database),
    };
    Fault::new(cure, kind, format!("SQLite: {error}"))
}

/// The same, naming the file if the file itself is broken.
pub(super) fn fault_in(file: Option<&String>, error: rusqlite::Error) -> Fault {
    match (error.sqlite_error_code(), file) {
        (Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt), Some(file)) => {
            Fault::new(Cure::Rejoin, Code::Database, format!("`{file}` cannot be used: {error}"))
        }
        _ => fault(error),
    }
}

/// A transaction on a connection that it owns until it ends.
pub(crate) struct Tx(pub(super) Connection);

impl Tx {
    pub(crate) fn query(&mut self, sql: &'static Sql, params: &[Param]) -> Result<Vec<Row>, Fault> {
        self.rows(sql, sql.sqlite(), params)
    }

    /// The rows of the statement `text`: `sql` without the clauses of filters that were not given. Which index is best depends on
    /// the values of those that were.
    pub(crate) fn search(&mut self, sql: &Sql, text: &str, params: &[Param]) -> Result<Vec<Row>, Fault> {
        plan_for(&self.0, Plan::TheseValues).map_err(fault)?;
        let rows = self.rows(sql, text, params);
        plan_for(&self.0, Plan::AllValues).map_err(fault)?;
        rows
    }

    fn rows(&mut self, sql: &Sql, text: &str, params: &[Param]) -> Result<Vec<Row>, Fault> {
        let failed = |error| named(&self.0, sql, error);
        let mut statement = self.0.prepare_cached(text).map_err(failed)?;
        let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query(bound(params).as_slice()).map_err(failed)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let values = (0..columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>();
            all.push(Row { columns: columns.clone(), values: values.map_err(failed)? });
        }
        Ok(all)
    }

    pub(crate) fn execute(&mut self, sql: &'static Sql, params: &[Param]) -> Result<u64, Fault> {
        let failed = |error| named(&self.0, sql, error);
        let mut statement = self.0.prepare_cached(sql.sqlite()).map_err(failed)?;
        let changed = statement.execute(bound(params).as_slice()).map_err(failed)?;
        Ok(changed as u64)
    }

    pub(crate) fn script(&mut self, sql: &'static Sql) -> Result<(), Fault> {
        self.0.execute_batch(sql.sqlite()).map_err(|error| named(&self.0, sql, error))
    }
}

fn named(connection: &Connection, sql: &Sql, error: rusqlite::Error) -> Fault {
    let file = connection.path().filter(|path| !path.is_empty()).map(str::to_owned);
    let Fault { cure, error } = fault_in(file.as_ref(), error);
    Fault::new(cure, error.kind(), format!("{} (in {})", error.message(), sql.name))
}

fn bound(params: &[Param]) -> Vec<&dyn ToSql> {
    params.iter().map(|param| param as &dyn ToSql).collect()
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let list = |values: Vec<Value>| ToSqlOutput::from_rc(std::rc::Rc::new(values), c"rarray");
        Ok(match self {
            Param::Null => ToSqlOutput::Owned(Value::Null),
            Param::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Param::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
            Param::Text(value) => ToSqlOutput::Borrowed(value.as_str().into()),
            Param::Key(key) => ToSqlOutput::Borrowed(key.as_bytes().as_slice().into()),
            Param::Keys(keys) => list(keys.iter().map(|key| Value::Blob(key.as_bytes().to_vec())).collect()),
            Param::Texts(texts) => list(texts.iter().map(|text| Value::Text(text.clone())).collect()),
        })
    }
}

/// A row that was read completely, so that no statement stays open across an await.
pub(crate) struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    fn value(&self, column: &str) -> Result<&Value, Fault> {
        let at = self.columns.iter().position(|name| name == column);
        at.map(|at| &self.values[at]).ok_or_else(|| Fault::corrupt(format!("there is no column `{column}`")))
    }

    pub(crate) fn text(&self, column: &str) -> Result<Option<String>, Fault> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            other => Err(wrong(column, "text", other)),
        }
    }

    pub(crate) fn int(&self, column: &str) -> Result<Option<i64>, Fault> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(*value)),
            other => Err(wrong(column, "a number", other)),
        }
    }

    pub(crate) fn flag(&self, column: &str) -> Result<Option<bool>, Fault> {
        Ok(self.int(column)?.map(|value| value != 0))
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Blob(bytes) => Ok(Some(bytes.clone())),
            other => Err(wrong(column, "bytes", other)),
        }
    }

    pub(crate) fn key(&self, column: &str) -> Result<Option<RunKey>, Fault> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Blob(bytes) => match uuid::Uuid::from_slice(bytes) {
                Ok(key) => Ok(Some(RunKey(key))),
                Err(_) => Err(Fault::corrupt(format!("column `{column}` has {} bytes, not 16", bytes.len()))),
            },
            other => Err(wrong(column, "a key", other)),
        }
    }
}

fn wrong(column: &str, wanted: &str, found: &Value) -> Fault {
    Fault::corrupt(format!("column `{column}` is not {wanted} but {}", found.data_type()))
}

/// Holds a connection; `None` while a transaction owns it, or after a failed rollback.
pub(super) type Slot = Option<Connection>;

type Work<'w, T> = &'w (dyn for<'t> Fn(&'t mut crate::driver::Tx) -> BoxFuture<'t, Result<T, Fault>> + 'w);

/// Run `work` between `begin` and `commit`.
pub(super) fn transaction<T>(
    slot: &mut Slot,
    begin: &str,
    work: impl for<'t> Fn(&'t mut crate::driver::Tx) -> BoxFuture<'t, Result<T, Fault>>,
) -> Result<T, Fault> {
    let connection = slot.take().ok_or_else(closed)?;
    if let Err(error) = connection.execute_batch(begin) {
        let fault = fault(error);
        *slot = Some(connection);
        return Err(fault);
    }
    let mut tx = crate::driver::Tx::Sqlite(Tx(connection));
    let done = at_once(&work, &mut tx);
    let connection = taken_back(tx);
    let done = match done {
        Ok(value) => connection.execute_batch("commit").map(|()| value).map_err(fault),
        Err(fault) => Err(fault),
    };
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("rollback")
    {
        return Err(fault(error));
    }
    *slot = Some(connection);
    done
}

pub(super) fn with_bare<T>(
    slot: &mut Slot,
    work: impl FnOnce(&mut Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    work(slot.as_mut().ok_or_else(closed)?)
}

fn closed() -> Fault {
    Fault::reopen("the connection to the SQLite file is closed")
}

/// SQLite statements never wait inside a future, so the work is complete after one poll.
fn at_once<T>(work: Work<'_, T>, tx: &mut crate::driver::Tx) -> Result<T, Fault> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(tx).now_or_never()));
    match done {
        Ok(Some(done)) => done,
        Ok(None) => Err(Fault::new(
            Cure::None,
            Code::Database,
            "internal error: a transaction on SQLite awaited something else",
        )),
        Err(_) => Err(Fault::new(Cure::None, Code::Database, "internal error: a transaction on SQLite panicked")),
    }
}

fn taken_back(tx: crate::driver::Tx) -> Connection {
    match tx {
        crate::driver::Tx::Sqlite(Tx(connection)) => connection,
        #[cfg(feature = "postgres")]
        crate::driver::Tx::Postgres(_) => unreachable!("it was made from a SQLite connection"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::rc::Rc;

    use rusqlite::StatementStatus;

    use super::*;

    /// The statements in `sql/` that SQLite executes.
    fn statements() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        let folders = fs::read_dir(&root).unwrap().map(|folder| folder.unwrap().path());
        let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
        let named = files.map(|file| (file.strip_prefix(&root).unwrap().display().to_string(), file));
        let of_sqlite = named.filter(|(name, _)| !name.ends_with(".postgres.sql"));
        of_sqlite.map(|(name, file)| (name, fs::read_to_string(file).unwrap())).collect()
    }

    #[test]
    fn no_statement_is_planned_again_when_its_parameters_change() {
        let connection = crate::driver::sqlite::migrated();
        let (mut planned, mut again) = (0, Vec::new());
        for (name, text) in statements() {
            let text: &'static str = text.leak();
            let sql = Sql::new("of a test", text, text);
            // Some are for PostgreSQL alone, and some are parts of others.
            let Ok(mut statement) = connection.prepare(sql.sqlite()) else { continue };
            planned += 1;
            for number in 1..=statement.parameter_count() {
                if sql.sqlite().contains(&format!("rarray(?{number})")) {
                    statement.raw_bind_parameter(number, Rc::new(vec![Value::Integer(7)])).unwrap();
                } else {
                    statement.raw_bind_parameter(number, 7).unwrap();
                }
            }
            // What it does with these parameters, or why it fails, does not matter.
            statement.raw_query().next().ok();
            if statement.get_status(StatementStatus::RePrepare) > 0 {
                again.push(name);
            }
        }
        assert!(planned > 150, "only {planned} statements were found");
        assert_eq!(again, [""; 0]);
    }
}
