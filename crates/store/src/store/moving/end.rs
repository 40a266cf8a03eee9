//! One of the two databases of a move, and the operations on it.

use std::sync::Arc;
use std::time::Duration;

use onward_types::{Code, Error};

use super::PAGE;
use super::sum::Sum;
use crate::clock::Clock;
use crate::driver::copy::{self, Cell, Column, PageSize};
use crate::driver::sqlite::ExecutorLock;
use crate::migrate::Tables;
use crate::ops::moves::{self, Part, TO};
use crate::store::Store;
use crate::store::db::Db;
use crate::tables::Table;
use crate::url::DatabaseUrl;

/// The shortest time for which executors on PostgreSQL are observed for a heartbeat. If a lease is longer than 5 s, the time is
/// six fifths of that lease: an executor beats five times per lease.
const WATCHED: Duration = Duration::from_secs(6);

pub(super) struct End {
    pub(super) store: Store,
    pub(super) place: String,
}

impl End {
    pub(super) async fn open(url: &DatabaseUrl, tables: Tables, clock: &Clock) -> Result<End, Error> {
        let store = Store::open_with(url, tables, clock.clone()).await?;
        let place = store.place();
        Ok(End { store, place })
    }

    /// Check that no executor is running. On SQLite none can start while the returned lock is held.
    pub(super) async fn hold(&self) -> Result<Option<ExecutorLock>, Error> {
        let lock = match &self.store.db {
            Db::Sqlite(sqlite) => sqlite.lock_executor()?,
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        };
        self.see_nobody_at_work().await?;
        Ok(lock)
    }

    /// On PostgreSQL only its heartbeat tells a live executor from a dead one.
    async fn see_nobody_at_work(&self) -> Result<(), Error> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let before = self.store.executors().await?;
        if before.iter().all(|row| row.dead) {
            return Ok(());
        }
        let leases = before.iter().filter(|row| !row.dead).filter_map(|row| row.lease);
        self.store.clock().sleep(leases.fold(WATCHED, |watched, lease| watched.max(lease + lease / 5))).await;
        for row in self.store.executors().await?.into_iter().filter(|row| !row.dead) {
            let is_silent = before.iter().any(|it| it.id == row.id && it.beat == row.beat);
            if !is_silent || !self.store.declare_dead(&row.id, row.beat).await? {
                return Err(moves::at_work(&row));
            }
        }
        Ok(())
    }

    /// Record the target of this move; an earlier move to the same target continues. Returns the id of the move and whether it
    /// is complete.
    pub(super) async fn note_source(&self, place: &str) -> Result<(String, bool), Error> {
        if let Some(part) = self.parts().await?.into_iter().find(|it| it.part == TO) {
            if part.place == place {
                return Ok((part.id, part.done));
            }
            let message = format!(
                "all or some runs of {} were moved to {}: finish that move, or cancel it with `onward move --undo`",
                self.place, part.place
            );
            return Err(Error::new(Code::Moved, message));
        }
        let id = self.store.clock().uuid().simple().to_string();
        let part = Part { part: TO.to_owned(), id: id.clone(), place: place.to_owned(), done: false, upto: None };
        self.begin(part).await?;
        Ok((id, false))
    }

    pub(super) async fn parts(&self) -> Result<Vec<Part>, Error> {
        self.store.read("moves.read", (), |tx, ()| Box::pin(moves::read(tx))).await
    }

    pub(super) async fn begin(&self, part: Part) -> Result<(), Error> {
        let given = (part, self.store.clock().now());
        self.store.write("moves.begin", given, |tx, (part, now)| Box::pin(moves::begin(tx, part, *now))).await
    }

    pub(super) async fn put(&self, part: Part) -> Result<(), Error> {
        let given = (part, self.store.clock().now());
        self.store.write("moves.put", given, |tx, (part, now)| Box::pin(moves::put(tx, part, *now))).await
    }

    pub(super) async fn forget(&self, part: String) -> Result<(), Error> {
        self.store.write("moves.forget", part, |tx, part| Box::pin(moves::forget(tx, part))).await
    }

    pub(super) async fn end(&self) -> Result<(), Error> {
        self.store.write("moves.end", (), |tx, ()| Box::pin(moves::end(tx))).await?;
        match &self.store.db {
            Db::Sqlite(sqlite) => Ok(sqlite.put_away().await?),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Ok(()),
        }
    }

    pub(super) async fn columns(&self, table: &'static Table) -> Result<Arc<Vec<Column>>, Error> {
        let columns = self.store.read("moves.columns", table, |tx, table| Box::pin(copy::columns(tx, table))).await?;
        Ok(Arc::new(columns))
    }

    pub(super) async fn page(
        &self,
        table: &'static Table,
        columns: &Arc<Vec<Column>>,
        after: Option<Vec<Cell>>,
        size: PageSize,
    ) -> Result<Vec<Vec<Cell>>, Error> {
        let given = (columns.clone(), after);
        let page = self.store.read("moves.page", given, move |tx, (columns, after)| {
            Box::pin(tx.page(table, columns, after.as_deref(), size))
        });
        page.await
    }

    /// Insert copied rows and record the progress, in one transaction.
    pub(super) async fn take(
        &self,
        table: &'static Table,
        columns: Arc<Vec<Column>>,
        rows: Vec<Vec<Cell>>,
        part: Part,
    ) -> Result<(), Error> {
        let now = self.store.clock().now();
        let take = self.store.write("moves.take", (columns, rows, part), move |tx, (columns, rows, part)| {
            Box::pin(async move {
                // This page may have been committed already, with only the answer lost.
                let noted = moves::read(tx).await?.into_iter().find(|it| it.part == part.part);
                if noted.as_ref() == Some(part) {
                    return Ok(());
                }
                if !rows.is_empty() {
                    tx.add(table, columns, rows).await?;
                }
                moves::put(tx, part, now).await
            })
        });
        take.await
    }

    pub(super) async fn clear(&self, table: &'static Table) -> Result<u64, Error> {
        self.store.write("moves.clear", table, |tx, table| Box::pin(tx.clear(table, PAGE.rows))).await
    }

    pub(super) async fn is_empty(&self, table: &'static Table) -> Result<bool, Error> {
        let columns = self.columns(table).await?;
        let one = PageSize { rows: 1, ..PAGE };
        Ok(self.page(table, &columns, None, one).await?.is_empty())
    }

    /// The row count and digest of a table.
    pub(super) async fn sum(&self, table: &'static Table) -> Result<Sum, Error> {
        let columns = self.columns(table).await?;
        let key = places(table, &columns)?;
        let (mut sum, mut upto) = (Sum::default(), None);
        loop {
            let rows = self.page(table, &columns, upto, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(sum) };
            upto = Some(key.iter().map(|at| last[*at].clone()).collect());
            rows.iter().for_each(|row| sum.add(row));
        }
    }
}

/// The indices of the key columns among the columns of a table.
pub(super) fn places(table: &Table, columns: &[Column]) -> Result<Vec<usize>, Error> {
    let place = |key: &&str| columns.iter().position(|column| column.name == *key);
    let places = table.key.iter().map(place).collect::<Option<Vec<_>>>();
    places.ok_or_else(|| Error::new(Code::Corrupt, format!("the table `{}` lacks a column of its key", table.name)))
}
