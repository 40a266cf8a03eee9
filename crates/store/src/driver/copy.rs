//! Reading and writing rows verbatim, for moving them to another database: any table of Onward, all columns, page by page.

use super::{Tx, params, sql};
use crate::fault::Fault;
use crate::tables::Table;

/// A value in SQLite's types, which both databases support.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    /// Also a boolean.
    Int(i64),
    Text(String),
    /// Also a key.
    Bytes(Vec<u8>),
}

impl Cell {
    pub(crate) fn size(&self) -> usize {
        match self {
            Cell::Null => 1,
            Cell::Int(_) => 8,
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
        }
    }
}

/// The type of a column, as far as databases distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Flag,
    Text,
    Bytes,
    Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The size of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSize {
    pub(crate) rows: usize,
    /// A page ends with the row that exceeds this many bytes.
    pub(crate) bytes: usize,
}

/// The columns of a table, ordered by name.
pub(crate) async fn columns(tx: &mut Tx, table: &Table) -> Result<Vec<Column>, Fault> {
    let rows = tx.query(sql!("moves/columns", split), &params![table.name]).await?;
    let column = |row: &super::Row| {
        let (name, found) = (row.text("name")?, row.text("type")?);
        let kind = match found.as_str() {
            "integer" | "bigint" => Kind::Int,
            "boolean" => Kind::Flag,
            "text" => Kind::Text,
            "blob" | "bytea" => Kind::Bytes,
            "uuid" => Kind::Key,
            other => {
                let message =
                    format!("column `{name}` of `{}` is of type `{other}`, which cannot be moved", table.name);
                return Err(Fault::corrupt(message));
            }
        };
        Ok(Column { name, kind })
    };
    let mut columns: Vec<Column> = rows.iter().map(column).collect::<Result<_, _>>()?;
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(columns)
}

/// The statement that reads the next page of a table, after the key in its parameters if this is not the first page.
pub(crate) fn select(table: &Table, columns: &[Column], is_first: bool, rows: usize) -> String {
    let (names, key) = (names(columns), table.key.join(", "));
    let behind = match (is_first, table.key) {
        (true, _) => String::new(),
        (false, [one]) => format!("where {one} > $1"),
        (false, several) => {
            let places: Vec<String> = (1..=several.len()).map(|at| format!("${at}")).collect();
            format!("where ({key}) > ({})", places.join(", "))
        }
    };
    format!("select {names} from {} {behind} order by {key} limit {rows}", table.name)
}

pub(crate) fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Tx {
    /// The next rows of a table, in the order of its key, after the key `after`.
    pub(crate) async fn page(
        &mut self,
        table: &'static Table,
        columns: &[Column],
        after: Option<&[Cell]>,
        size: PageSize,
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let text = select(table, columns, after.is_none(), size.rows);
        match self {
            Tx::Sqlite(tx) => tx.page(table, &text, after.unwrap_or_default(), size.bytes),
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.page(table, columns, &text, after.unwrap_or_default(), size.bytes).await,
        }
    }

    /// Insert rows into a table.
    pub(crate) async fn add(
        &mut self,
        table: &'static Table,
        columns: &[Column],
        rows: &[Vec<Cell>],
    ) -> Result<(), Fault> {
        match self {
            Tx::Sqlite(tx) => tx.add(table, columns, rows),
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.add(table, columns, rows).await,
        }
    }

    /// Delete up to `rows` rows of a table. Returns how many were deleted.
    pub(crate) async fn clear(&mut self, table: &'static Table, rows: usize) -> Result<u64, Fault> {
        let key = table.key.join(", ");
        let text =
            format!("delete from {0} where ({key}) in (select {key} from {0} order by {key} limit {rows})", table.name);
        match self {
            Tx::Sqlite(tx) => tx.run(table, &text),
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => tx.run(table, &text).await,
        }
    }
}
