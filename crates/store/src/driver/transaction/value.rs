//! The values, parameters and rows of user statements, the same on both databases.

use std::sync::Arc;

use onward_types::{Code, Error, Timestamp, from_micros};
use uuid::Uuid;

/// One value of a statement: a parameter, or a column of a row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SqlValue {
    /// Null.
    Null,
    /// A boolean. SQLite stores it as a number.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text; also JSON, a UUID or an enum if the column has that type.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

macro_rules! into_value {
    ($($type:ty => $value:ident => $made:expr;)*) => {
        $(impl From<$type> for SqlValue {
            fn from($value: $type) -> SqlValue {
                $made
            }
        })*
    };
}

into_value! {
    bool => it => SqlValue::Bool(it);
    i16 => it => SqlValue::Int(it.into());
    i32 => it => SqlValue::Int(it.into());
    i64 => it => SqlValue::Int(it);
    u8 => it => SqlValue::Int(it.into());
    u16 => it => SqlValue::Int(it.into());
    u32 => it => SqlValue::Int(it.into());
    f32 => it => SqlValue::Float(it.into());
    f64 => it => SqlValue::Float(it);
    &str => it => SqlValue::Text(it.to_owned());
    String => it => SqlValue::Text(it);
    &String => it => SqlValue::Text(it.clone());
    Vec<u8> => it => SqlValue::Bytes(it);
    &[u8] => it => SqlValue::Bytes(it.to_vec());
    Uuid => it => SqlValue::Text(it.to_string());
    Timestamp => it => SqlValue::Text(it.to_string());
    serde_json::Value => it => SqlValue::Text(it.to_string());
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> SqlValue {
        value.map_or(SqlValue::Null, Into::into)
    }
}

/// The parameters of a statement, starting with `$1`: a tuple, an array or a vector. `()` means none, `(id,)` means one.
pub trait SqlParams {
    /// The values, in order.
    fn into_values(self) -> Vec<SqlValue>;
}

impl SqlParams for () {
    fn into_values(self) -> Vec<SqlValue> {
        Vec::new()
    }
}

impl<T: Into<SqlValue>> SqlParams for Vec<T> {
    fn into_values(self) -> Vec<SqlValue> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<SqlValue>, const N: usize> SqlParams for [T; N] {
    fn into_values(self) -> Vec<SqlValue> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! params_of_tuples {
    ($(($($type:ident $value:ident),+))*) => {
        $(impl<$($type: Into<SqlValue>),+> SqlParams for ($($type,)+) {
            fn into_values(self) -> Vec<SqlValue> {
                let ($($value,)+) = self;
                vec![$($value.into()),+]
            }
        })*
    };
}

params_of_tuples! {
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F f)
    (A a, B b, C c, D d, E e, F f, G g)
    (A a, B b, C c, D d, E e, F f, G g, H h)
    (A a, B b, C c, D d, E e, F f, G g, H h, I i)
    (A a, B b, C c, D d, E e, F f, G g, H h, I i, J j)
}

/// A row returned by a user statement, read by column name.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlRow {
    pub(crate) columns: Arc<[String]>,
    pub(crate) values: Vec<SqlValue>,
}

impl SqlRow {
    /// Read a column as a `T`, or as an `Option<T>` if it may be null.
    ///
    /// # Errors
    /// [`Code::Decode`] if there is no such column or it has another type; the message names both.
    pub fn get<T: FromSqlValue>(&self, column: &str) -> Result<T, Error> {
        let at = self.columns.iter().position(|name| name == column).ok_or_else(|| {
            let there = self.columns.join("`, `");
            Error::new(Code::Decode, format!("the row has no column `{column}`; it has `{there}`"))
        })?;
        T::from_value(&self.values[at]).ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            let message = format!("column `{column}` is {} and cannot be read as {wanted}", kind(&self.values[at]));
            Error::new(Code::Decode, message)
        })
    }

    /// The names of the columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values of the columns, in order.
    #[must_use]
    pub fn values(&self) -> &[SqlValue] {
        &self.values
    }
}

fn kind(value: &SqlValue) -> &'static str {
    match value {
        SqlValue::Null => "null",
        SqlValue::Bool(_) => "a boolean",
        SqlValue::Int(_) => "an integer",
        SqlValue::Float(_) => "a floating-point number",
        SqlValue::Text(_) => "a text",
        SqlValue::Bytes(_) => "bytes",
    }
}

/// A type as which a column can be read.
pub trait FromSqlValue: Sized {
    /// The value as this type; `None` if it has another type or does not fit.
    fn from_value(value: &SqlValue) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty: $($pattern:pat => $made:expr),+;)*) => {
        $(impl FromSqlValue for $type {
            fn from_value(value: &SqlValue) -> Option<$type> {
                match value {
                    $($pattern => $made,)+
                    _ => None,
                }
            }
        })*
    };
}

from_value! {
    // SQLite has no boolean type.
    bool: SqlValue::Bool(it) => Some(*it), SqlValue::Int(0) => Some(false), SqlValue::Int(1) => Some(true);
    i16: SqlValue::Int(it) => i16::try_from(*it).ok();
    i32: SqlValue::Int(it) => i32::try_from(*it).ok();
    i64: SqlValue::Int(it) => Some(*it);
    u8: SqlValue::Int(it) => u8::try_from(*it).ok();
    u16: SqlValue::Int(it) => u16::try_from(*it).ok();
    u32: SqlValue::Int(it) => u32::try_from(*it).ok();
    u64: SqlValue::Int(it) => u64::try_from(*it).ok();
    usize: SqlValue::Int(it) => usize::try_from(*it).ok();
    f64: SqlValue::Float(it) => Some(*it), SqlValue::Int(it) => exact(*it);
    String: SqlValue::Text(it) => Some(it.clone());
    Vec<u8>: SqlValue::Bytes(it) => Some(it.clone());
    Uuid: SqlValue::Text(it) => it.parse().ok(), SqlValue::Bytes(it) => Uuid::from_slice(it).ok();
    Timestamp: SqlValue::Text(it) => it.parse().ok();
    serde_json::Value: SqlValue::Text(it) => serde_json::from_str(it).ok();
}

impl FromSqlValue for SqlValue {
    fn from_value(value: &SqlValue) -> Option<SqlValue> {
        Some(value.clone())
    }
}

impl<T: FromSqlValue> FromSqlValue for Option<T> {
    fn from_value(value: &SqlValue) -> Option<Option<T>> {
        match value {
            SqlValue::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// An integer as a floating-point number, if that loses no precision.
fn exact(value: i64) -> Option<f64> {
    let float = value as f64;
    (float as i64 == value).then_some(float)
}

/// A timestamp returned by a database, in microseconds since 1970, as text.
#[cfg_attr(not(feature = "postgres"), expect(dead_code))]
pub(crate) fn instant(micros: i64) -> SqlValue {
    SqlValue::Text(from_micros(micros).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[(&str, SqlValue)]) -> SqlRow {
        let (columns, values): (Vec<_>, Vec<_>) =
            values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).unzip();
        SqlRow { columns: columns.into(), values }
    }

    #[test]
    fn a_column_is_read_as_what_it_is() {
        let row = row(&[("id", SqlValue::Int(7)), ("note", SqlValue::Null), ("paid", SqlValue::Int(1))]);
        assert_eq!(row.get::<u32>("id").unwrap(), 7);
        assert_eq!(row.get::<Option<String>>("note").unwrap(), None);
        assert!(row.get::<bool>("paid").unwrap());
    }

    #[test]
    fn a_column_that_is_something_else_or_absent_is_named() {
        let row = row(&[("id", SqlValue::Int(-1))]);
        let wrong = row.get::<u32>("id").unwrap_err();
        assert!(wrong.message().contains("`id`") && wrong.code() == "decode", "{wrong}");
        assert!(row.get::<i64>("ID").unwrap_err().message().contains("it has `id`"));
    }
}
