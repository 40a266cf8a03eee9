//! Copying rows verbatim from and to PostgreSQL.

use std::pin::pin;

use futures_util::StreamExt;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Tx;
use super::fault::named;
use crate::driver::copy::{Cell, Column, Kind, names};
use crate::fault::Fault;
use crate::tables::Table;

impl Tx {
    pub(crate) async fn page(
        &mut self,
        table: &Table,
        columns: &[Column],
        text: &str,
        after: &[Cell],
        bytes: usize,
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let kinds = table.key.iter().map(|key| columns.iter().find(|column| column.name == *key).map(|it| it.kind));
        let after: Vec<Box<dyn ToSql + Sync + Send>> = after
            .iter()
            .zip(kinds)
            .map(|(cell, kind)| one(cell, kind.unwrap_or(Kind::Text)))
            .collect::<Result<_, _>>()?;
        let failed = |error| named(table.name, error);
        let client = self.begun().await?;
        let statement = client.prepare_cached(text).await.map_err(failed)?;
        let after = after.iter().map(|it| &**it as &(dyn ToSql + Sync));
        let mut found = pin!(client.query_raw(&statement, after).await.map_err(failed)?);
        let (mut rows, mut size) = (Vec::new(), 0);
        while let Some(row) = found.next().await {
            let row = row.map_err(failed)?;
            let cells = columns.iter().enumerate().map(|(at, column)| cell(&row, at, column.kind).map_err(failed));
            let cells = cells.collect::<Result<Vec<_>, _>>()?;
            size += cells.iter().map(Cell::size).sum::<usize>();
            rows.push(cells);
            if size >= bytes {
                break;
            }
        }
        Ok(rows)
    }

    pub(crate) async fn add(&mut self, table: &Table, columns: &[Column], rows: &[Vec<Cell>]) -> Result<(), Fault> {
        let failed = |error| named(table.name, error);
        let lists: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("${}::{}[]", at + 1, column.kind.as_array_of()))
            .collect();
        let names = names(columns);
        let text = format!(
            "insert into {} ({names}) overriding system value select * from unnest({})",
            table.name,
            lists.join(", ")
        );
        let lists = columns.iter().enumerate().map(|(at, column)| list(rows, at, column.kind));
        let lists = lists.collect::<Result<Vec<_>, _>>()?;
        let client = self.begun().await?;
        let statement = client.prepare_cached(&text).await.map_err(failed)?;
        let lists: Vec<&(dyn ToSql + Sync)> = lists.iter().map(|it| &**it as &(dyn ToSql + Sync)).collect();
        client.execute(&statement, &lists).await.map_err(failed)?;
        Ok(())
    }

    pub(crate) async fn run(&mut self, table: &Table, text: &str) -> Result<u64, Fault> {
        self.begun().await?.execute(text, &[]).await.map_err(|error| named(table.name, error))
    }
}

type Values = Box<dyn ToSql + Sync + Send>;

fn list(rows: &[Vec<Cell>], at: usize, kind: Kind) -> Result<Values, Fault> {
    Ok(match kind {
        Kind::Int => Box::new(each(rows, at, int)?),
        Kind::Flag => Box::new(each(rows, at, flag)?),
        Kind::Text => Box::new(each(rows, at, text)?),
        Kind::Bytes => Box::new(each(rows, at, bytes)?),
        Kind::Key => Box::new(each(rows, at, key)?),
    })
}

fn each<'r, T>(
    rows: &'r [Vec<Cell>],
    at: usize,
    of: impl Fn(&'r Cell) -> Result<Option<T>, Fault>,
) -> Result<Vec<Option<T>>, Fault> {
    rows.iter().map(|row| of(&row[at])).collect()
}

fn one(cell: &Cell, kind: Kind) -> Result<Values, Fault> {
    Ok(match kind {
        Kind::Int => Box::new(int(cell)?),
        Kind::Flag => Box::new(flag(cell)?),
        Kind::Text => Box::new(text(cell)?),
        Kind::Bytes => Box::new(bytes(cell)?),
        Kind::Key => Box::new(key(cell)?),
    })
}

fn int(cell: &Cell) -> Result<Option<i64>, Fault> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Int(int) => Ok(Some(*int)),
        other => Err(wrong("a number", other)),
    }
}

fn flag(cell: &Cell) -> Result<Option<bool>, Fault> {
    Ok(int(cell)?.map(|int| int != 0))
}

fn text(cell: &Cell) -> Result<Option<String>, Fault> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(text) => Ok(Some(text.clone())),
        other => Err(wrong("a text", other)),
    }
}

fn bytes(cell: &Cell) -> Result<Option<Vec<u8>>, Fault> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Bytes(bytes) => Ok(Some(bytes.clone())),
        other => Err(wrong("bytes", other)),
    }
}

fn key(cell: &Cell) -> Result<Option<Uuid>, Fault> {
    let key = bytes(cell)?.map(|bytes| Uuid::from_slice(&bytes));
    key.transpose().map_err(|error| Fault::corrupt(format!("a key is not a UUID: {error}")))
}

fn wrong(wanted: &str, found: &Cell) -> Fault {
    let found = match found {
        Cell::Null => "nothing",
        Cell::Int(_) => "a number",
        Cell::Text(_) => "a text",
        Cell::Bytes(_) => "bytes",
    };
    Fault::corrupt(format!("a row to be moved has {found} where {wanted} is expected"))
}

fn cell(row: &tokio_postgres::Row, at: usize, kind: Kind) -> Result<Cell, tokio_postgres::Error> {
    fn or_null<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
        value.map_or(Cell::Null, cell)
    }
    Ok(match kind {
        Kind::Int => or_null(row.try_get(at)?, Cell::Int),
        Kind::Flag => or_null(row.try_get::<_, Option<bool>>(at)?, |flag| Cell::Int(i64::from(flag))),
        Kind::Text => or_null(row.try_get(at)?, Cell::Text),
        Kind::Bytes => or_null(row.try_get(at)?, Cell::Bytes),
        Kind::Key => or_null(row.try_get::<_, Option<Uuid>>(at)?, |key| Cell::Bytes(key.as_bytes().to_vec())),
    })
}

impl Kind {
    fn as_array_of(self) -> &'static str {
        match self {
            Kind::Int => "bigint",
            Kind::Flag => "boolean",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
            Kind::Key => "uuid",
        }
    }
}
