//! Copying rows verbatim from and to a SQLite file.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{ToSql, params_from_iter};

use super::connection::{Tx, fault};
use crate::driver::copy::{Cell, Column, names};
use crate::fault::Fault;
use crate::tables::Table;

impl Tx {
    pub(crate) fn page(
        &mut self,
        table: &Table,
        text: &str,
        after: &[Cell],
        bytes: usize,
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let failed = |error| in_table(table, error);
        let mut statement = self.0.prepare_cached(&text.replace('$', "?")).map_err(failed)?;
        let width = statement.column_count();
        let mut found = statement.query(params_from_iter(after)).map_err(failed)?;
        let (mut rows, mut size) = (Vec::new(), 0);
        while let Some(row) = found.next().map_err(failed)? {
            let cells =
                (0..width).map(|at| row.get_ref(at).map(cell)).collect::<rusqlite::Result<Result<Vec<_>, Fault>>>();
            let cells = cells.map_err(failed)??;
            size += cells.iter().map(Cell::size).sum::<usize>();
            rows.push(cells);
            if size >= bytes {
                break;
            }
        }
        Ok(rows)
    }

    pub(crate) fn add(&mut self, table: &Table, columns: &[Column], rows: &[Vec<Cell>]) -> Result<(), Fault> {
        let failed = |error| in_table(table, error);
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let text = format!("insert into {} ({}) values ({})", table.name, names(columns), places.join(", "));
        let mut insert = self.0.prepare_cached(&text).map_err(failed)?;
        for row in rows {
            insert.execute(params_from_iter(row)).map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn run(&mut self, table: &Table, text: &str) -> Result<u64, Fault> {
        self.0.execute(text, []).map(|rows| rows as u64).map_err(|error| in_table(table, error))
    }
}

fn in_table(table: &Table, error: rusqlite::Error) -> Fault {
    let Fault { cure, error } = fault(error);
    Fault::new(cure, error.kind(), format!("{} (in table {})", error.message(), table.name))
}

fn cell(value: ValueRef<'_>) -> Result<Cell, Fault> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(int) => Cell::Int(int),
        ValueRef::Text(text) => match String::from_utf8(text.to_vec()) {
            Ok(text) => Cell::Text(text),
            Err(_) => return Err(Fault::corrupt("a text is not UTF-8")),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(Fault::corrupt("a number has a fraction, but no column holds such numbers")),
    })
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Int(int) => ToSqlOutput::Owned(Value::Integer(*int)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
