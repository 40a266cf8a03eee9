//! Reading rows by column name, and encoding parameters for PostgreSQL.

use std::error::Error;

use bytes::BytesMut;
use onward_types::RunKey;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::driver::Param;
use crate::fault::Fault;

pub(crate) fn text(row: &Row, column: &str) -> Result<Option<String>, Fault> {
    get(row, column)
}

pub(crate) fn int(row: &Row, column: &str) -> Result<Option<i64>, Fault> {
    get(row, column)
}

pub(crate) fn flag(row: &Row, column: &str) -> Result<Option<bool>, Fault> {
    get(row, column)
}

pub(crate) fn bytes(row: &Row, column: &str) -> Result<Option<Vec<u8>>, Fault> {
    get(row, column)
}

pub(crate) fn key(row: &Row, column: &str) -> Result<Option<RunKey>, Fault> {
    Ok(get(row, column)?.map(RunKey))
}

/// A list of keys; null is read as an empty list.
pub(super) fn keys(row: &Row, column: &str) -> Result<Vec<RunKey>, Fault> {
    let keys: Option<Vec<Uuid>> = get(row, column)?;
    Ok(keys.unwrap_or_default().into_iter().map(RunKey).collect())
}

fn get<'r, T: FromSql<'r>>(row: &'r Row, column: &str) -> Result<Option<T>, Fault> {
    row.try_get(column)
        .map_err(|error| Fault::corrupt(format!("column `{column}`: {}", super::fault::sentence(&error))))
}

impl ToSql for Param {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Param::Null => Ok(IsNull::Yes),
            // If a statement only compares a number with a small constant, PostgreSQL infers a 4-byte integer.
            Param::Int(value) if *of == Type::INT4 => i32::try_from(*value)?.to_sql_checked(of, out),
            Param::Int(value) => value.to_sql_checked(of, out),
            Param::Bool(value) => value.to_sql_checked(of, out),
            Param::Text(value) => value.to_sql_checked(of, out),
            Param::Key(key) => key.0.to_sql_checked(of, out),
            Param::Keys(keys) => keys.iter().map(|key| key.0).collect::<Vec<_>>().to_sql_checked(of, out),
            Param::Texts(texts) => texts.to_sql_checked(of, out),
        }
    }

    /// The type is checked together with the value in `to_sql`.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
