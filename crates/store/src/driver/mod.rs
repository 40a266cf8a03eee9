//! What the two databases share: statements, parameters, rows and transactions.
//!
//! Everything except the journal's batches is written once on top of these. A statement is a file in PostgreSQL's SQL. If
//! SQLite only needs a different notation, [`Sql`] translates it; otherwise there are two files.

pub(crate) mod copy;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod search;
pub(crate) mod sqlite;
pub(crate) mod transaction;

use std::sync::OnceLock;

use futures_util::future::BoxFuture;
use onward_types::{RunId, RunKey};

use crate::change::Existing;
use crate::fault::Fault;
use crate::new_run::Value;

/// A statement from `sql/`.
pub(crate) struct Sql {
    pub(crate) name: &'static str,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code))]
    postgres: &'static str,
    sqlite: &'static str,
    translated: OnceLock<String>,
}

/// The statement in `sql/<name>.sql`. With `split`, the statements in `sql/<name>.sqlite.sql` and `sql/<name>.postgres.sql`;
/// with `then`, the text of another file is appended to both; with `then_split`, that of the two files of another statement.
macro_rules! sql {
    ($name:literal) => {{
        static SQL: $crate::driver::Sql = $crate::driver::Sql::new(
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sql")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sql")),
        );
        &SQL
    }};
    ($name:literal, split) => {{
        static SQL: $crate::driver::Sql = $crate::driver::Sql::new(
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".postgres.sql")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sqlite.sql")),
        );
        &SQL
    }};
    ($name:literal, split, then $tail:literal) => {{
        static SQL: $crate::driver::Sql = $crate::driver::Sql::new(
            $tail,
            concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".postgres.sql")),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $tail, ".sql"))
            ),
            concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sqlite.sql")),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $tail, ".sql"))
            ),
        );
        &SQL
    }};
    ($name:literal, split, then_split $tail:literal) => {{
        static SQL: $crate::driver::Sql = $crate::driver::Sql::new(
            $tail,
            concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".postgres.sql")),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $tail, ".postgres.sql"))
            ),
            concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sqlite.sql")),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $tail, ".sqlite.sql"))
            ),
        );
        &SQL
    }};
}
pub(crate) use sql;

impl Sql {
    pub(crate) const fn new(name: &'static str, postgres: &'static str, sqlite: &'static str) -> Sql {
        Sql { name, postgres, sqlite, translated: OnceLock::new() }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(&self) -> &'static str {
        self.postgres
    }

    /// The statement for SQLite: parameters are written `?1`, a list is a table-valued parameter, and row locks are removed,
    /// because a writer has the whole database to itself.
    pub(crate) fn sqlite(&self) -> &str {
        self.translated.get_or_init(|| {
            let mut text = self.sqlite.replace('$', "?");
            for lock in [
                " for no key update of r skip locked",
                " for no key update skip locked",
                " for no key update of r",
                " for no key update",
                " for key share",
                " for share",
                " for update",
            ] {
                text = text.replace(lock, "").replace(&format!("\n{}", &lock[1..]), "");
            }
            text.replace("<> all(", "not in rarray(").replace("= any(", "in rarray(")
        })
    }
}

/// A parameter of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Param {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Key(RunKey),
    Keys(Vec<RunKey>),
    Texts(Vec<String>),
}

impl From<Value<'_>> for Param {
    fn from(value: Value<'_>) -> Param {
        match value {
            Value::Null => Param::Null,
            Value::Int(int) => Param::Int(int),
            Value::Text(text) => Param::Text(text.into_owned()),
            Value::Key(key) => Param::Key(key),
        }
    }
}

impl From<i64> for Param {
    fn from(value: i64) -> Param {
        Param::Int(value)
    }
}

impl From<u32> for Param {
    fn from(value: u32) -> Param {
        Param::Int(i64::from(value))
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Param {
        Param::Bool(value)
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Param {
        Param::Text(value.to_owned())
    }
}

impl From<String> for Param {
    fn from(value: String) -> Param {
        Param::Text(value)
    }
}

impl From<RunKey> for Param {
    fn from(value: RunKey) -> Param {
        Param::Key(value)
    }
}

impl From<onward_types::Timestamp> for Param {
    fn from(value: onward_types::Timestamp) -> Param {
        Param::Int(onward_types::micros(value))
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Param {
        value.map_or(Param::Null, Into::into)
    }
}

/// The parameters of a statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::driver::Param::from($value)),*] };
}
pub(crate) use params;

/// A row, read by the names of its columns.
pub(crate) enum Row {
    Sqlite(sqlite::Row),
    #[cfg(feature = "postgres")]
    Postgres(tokio_postgres::Row),
}

macro_rules! getters {
    ($($get:ident $opt:ident $type:ty),*) => {
        $(
            pub(crate) fn $opt(&self, column: &str) -> Result<Option<$type>, Fault> {
                match self {
                    Row::Sqlite(row) => row.$get(column),
                    #[cfg(feature = "postgres")]
                    Row::Postgres(row) => postgres::row::$get(row, column),
                }
            }

            pub(crate) fn $get(&self, column: &str) -> Result<$type, Fault> {
                self.$opt(column)?.ok_or_else(|| Fault::corrupt(format!("column `{column}` is null")))
            }
        )*
    };
}

impl Row {
    getters!(text opt_text String, int opt_int i64, flag opt_flag bool, key opt_key RunKey, bytes opt_bytes Vec<u8>);

    pub(crate) fn count(&self, column: &str) -> Result<u32, Fault> {
        let value = self.int(column)?;
        u32::try_from(value).map_err(|_| Fault::corrupt(format!("column `{column}` is {value}")))
    }

    /// The existing run that this row describes.
    pub(crate) fn existing(&self) -> Result<Existing, Fault> {
        let position = self.opt_int("parent_position")?.and_then(|it| u32::try_from(it).ok());
        Ok(Existing {
            key: self.key("run_key")?,
            id: RunId::recorded(self.text("id")?),
            workflow: self.text("workflow")?,
            input_hash: self.int("input_hash")?,
            parent: self.opt_key("parent_key")?.zip(position),
        })
    }
}

/// A transaction. It owns its connection until it ends.
pub(crate) enum Tx {
    Sqlite(sqlite::Tx),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Tx),
}

impl Tx {
    /// The rows that a statement returns.
    pub(crate) async fn query(&mut self, sql: &'static Sql, params: &[Param]) -> Result<Vec<Row>, Fault> {
        match self {
            Tx::Sqlite(tx) => tx.query(sql, params).map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.query(sql, params).await.map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Tx::Sqlite(_))
    }

    /// The only row that a statement returns, if it returns one.
    pub(crate) async fn first(&mut self, sql: &'static Sql, params: &[Param]) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Executes a statement and returns how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static Sql, params: &[Param]) -> Result<u64, Fault> {
        match self {
            Tx::Sqlite(tx) => tx.execute(sql, params),
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.execute(sql, params).await,
        }
    }

    /// Executes several statements without parameters. On PostgreSQL they have to be one, with these parameters.
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "a script of SQLite has no parameters"))]
    pub(crate) async fn script(&mut self, sql: &'static Sql, params: &[Param]) -> Result<(), Fault> {
        match self {
            Tx::Sqlite(tx) => tx.script(sql),
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.query(sql, params).await.map(drop),
        }
    }

    /// The rows that a statement returns for each of these parameter lists, all sent at once.
    pub(crate) async fn query_each(
        &mut self,
        sql: &'static Sql,
        params: &[Vec<Param>],
    ) -> Result<Vec<Vec<Row>>, Fault> {
        match self {
            Tx::Sqlite(tx) => {
                let asked = params.iter().map(|params| tx.query(sql, params));
                asked.map(|rows| rows.map(|rows| rows.into_iter().map(Row::Sqlite).collect())).collect()
            }
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => {
                let asked = tx.query_each(sql, params).await?.into_iter();
                Ok(asked.map(|rows| rows.into_iter().map(Row::Postgres).collect()).collect())
            }
        }
    }

    /// The rows of each of these statements, all sent at once.
    pub(crate) async fn query_all<const N: usize>(
        &mut self,
        asked: [(&'static Sql, &[Param]); N],
    ) -> Result<[Vec<Row>; N], Fault> {
        let mut all = [const { Vec::new() }; N];
        match self {
            Tx::Sqlite(tx) => {
                for (rows, (sql, params)) in all.iter_mut().zip(asked) {
                    *rows = tx.query(sql, params)?.into_iter().map(Row::Sqlite).collect();
                }
            }
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => {
                for (rows, answered) in all.iter_mut().zip(tx.query_all(&asked).await?) {
                    *rows = answered.into_iter().map(Row::Postgres).collect();
                }
            }
        }
        Ok(all)
    }

    /// Notify other processes once this transaction is committed. On SQLite this does nothing: other processes poll.
    pub(crate) fn notify(&mut self, signal: &crate::signal::Signal) {
        match self {
            Tx::Sqlite(_) => {
                let _: &crate::signal::Signal = signal;
            }
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.notify(signal),
        }
    }
}

/// The work inside a transaction. It may run more than once if the database requires a retry.
pub(crate) trait Transact<T>:
    for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static
{
}

impl<T, F> Transact<T> for F where F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static {}
