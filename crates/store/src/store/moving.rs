//! Moving everything to another database, for example when one machine no longer suffices.
//!
//! Both databases first record the move, and from then on no executor may run on either. Rows are copied page by page, each
//! page in one transaction with a record of the progress, so a move that is killed continues where it stopped. At the end both
//! databases are read once more, table by table: a table counts as moved only if both sides are equal.

use std::sync::Arc;

use onward_types::{Code, Error};

use crate::clock::Clock;
use crate::driver::copy::{Cell, Column, PageSize};
use crate::driver::sqlite::ExecutorLock;
use crate::migrate::Tables;
use crate::ops::moves::{self, FROM, Part, TO};
use crate::ops::recover::RecoveryLimits;
use crate::tables::{MOVED, Table};
use crate::url::DatabaseUrl;

mod end;
mod sum;

use end::{End, places};

/// A page ends after this many rows, or after the row that exceeds this many bytes.
const PAGE: PageSize = PageSize { rows: 1_000, bytes: 4 * 1024 * 1024 };

/// The comparison of a table in both databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows the source has.
    pub from_rows: u64,
    /// How many rows the target has.
    pub to_rows: u64,
    /// The digest of the source's rows, independent of their order.
    pub from_digest: String,
    /// The digest of the target's rows.
    pub to_digest: String,
}

impl MovedTable {
    /// Whether the target has exactly the source's rows.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.from_rows == self.to_rows && self.from_digest == self.to_digest
    }
}

/// A move in progress from one database to another.
pub struct Move {
    from: End,
    to: End,
    id: String,
    /// On SQLite, no executor can run while these are held.
    _locks: [Option<ExecutorLock>; 2],
}

impl Move {
    /// Open both databases, check that no executor is running on them, and record the move. The target must be empty, except
    /// for what an earlier interrupted call copied. `None`: an earlier call has moved everything.
    ///
    /// # Errors
    /// If a database cannot be used, [`Code::InUse`] if an executor is running on it or it holds other data, and
    /// [`Code::Invalid`] if both are the same.
    pub async fn begin(from: &DatabaseUrl, to: &DatabaseUrl, clock: Clock) -> Result<Option<Move>, Error> {
        for url in [from, to] {
            if matches!(url, DatabaseUrl::Sqlite { path: None, .. }) {
                return Err(Error::new(
                    Code::Invalid,
                    "only the process that opened an in-memory database can see it: give a file or a PostgreSQL URL",
                ));
            }
        }
        let from = End::open(from, Tables::TakeAsTheyAre, &clock).await?;
        let to = End::open(to, Tables::BringUpToDate, &clock).await?;
        if from.place == to.place {
            return Err(same());
        }
        let locks = [from.hold().await?, to.hold().await?];
        let (id, is_done) = from.note_source(&to.place).await?;
        let moving = Move { from, to, id, _locks: locks };
        let goes_on = moving.note_target(is_done).await;
        if goes_on.is_err() && !is_done {
            // Nothing was copied, so the source may be executed again.
            moving.from.forget(TO.to_owned()).await?;
        }
        Ok(goes_on?.then_some(moving))
    }

    /// The locations of the source and the target, without secrets.
    #[must_use]
    pub fn places(&self) -> (&str, &str) {
        (&self.from.place, &self.to.place)
    }

    /// Copy what is still missing. `progress` is called after each page with the table and the number of its rows that this
    /// call copied.
    ///
    /// # Errors
    /// If a database cannot be reached; what was copied stays, and another call copies the rest.
    pub async fn run(&self, mut progress: impl FnMut(&'static str, u64)) -> Result<(), Error> {
        self.release_runs().await?;
        let parts = self.to.parts().await?;
        for table in MOVED {
            let part = parts.iter().find(|it| it.part == part_of(table));
            if part.is_some_and(|it| it.done) {
                continue;
            }
            self.copy(table, part.and_then(|it| it.upto.clone()), |rows| progress(table.name, rows)).await?;
        }
        Ok(())
    }

    /// Read both databases and compare them table by table.
    ///
    /// # Errors
    /// If a database cannot be reached.
    pub async fn compare(&self) -> Result<Vec<MovedTable>, Error> {
        let mut tables = Vec::new();
        for table in MOVED {
            let (from, to) = (self.from.sum(table).await?, self.to.sum(table).await?);
            tables.push(MovedTable {
                table: table.name,
                from_rows: from.rows,
                to_rows: to.rows,
                from_digest: from.digest(),
                to_digest: to.digest(),
            });
        }
        Ok(tables)
    }

    /// Complete the move: the source records where its runs are now, and the target becomes an ordinary database.
    ///
    /// # Errors
    /// If a database cannot be reached; starting the same move again completes it.
    pub async fn end(self) -> Result<(), Error> {
        let to = self.note(TO, &self.to.place, true);
        self.from.put(to).await?;
        self.to.end().await
    }

    /// Delete these tables from the target because they changed during the move; another move copies them again.
    ///
    /// # Errors
    /// If a database cannot be reached.
    pub async fn take_back(&self, tables: &[MovedTable]) -> Result<(), Error> {
        for table in MOVED.iter().filter(|table| tables.iter().any(|it| it.table == table.name)) {
            while self.to.clear(table).await? > 0 {}
            self.to.forget(part_of(table)).await?;
        }
        Ok(())
    }

    /// Cancel a move, whether it is in progress or complete: executors may run on the source again. Returns the location of the
    /// target.
    ///
    /// # Errors
    /// If the database cannot be used or has not been moved.
    pub async fn undo(from: &DatabaseUrl, clock: Clock) -> Result<String, Error> {
        let from = End::open(from, Tables::TakeAsTheyAre, &clock).await?;
        let _lock = from.hold().await?;
        match from.parts().await?.into_iter().find(|it| it.part == TO) {
            Some(part) => from.forget(TO.to_owned()).await.map(|()| part.place),
            None => Err(Error::new(Code::Invalid, format!("the runs of {} have not been moved", from.place))),
        }
    }

    fn note(&self, part: &str, place: &str, done: bool) -> Part {
        Part { part: part.to_owned(), id: self.id.clone(), place: place.to_owned(), done, upto: None }
    }

    /// Record in the target where its rows come from. `false`: an earlier move completed, and the target is already in use.
    async fn note_target(&self, is_done: bool) -> Result<bool, Error> {
        let parts = self.to.parts().await?;
        if parts.iter().any(|it| it.part == TO && it.id == self.id) {
            return Err(same());
        }
        let place = &self.to.place;
        let refuse = |why: String| Err(Error::new(Code::InUse, format!("cannot move to {place}: {why}")));
        match parts.iter().find(|it| it.part == FROM) {
            Some(part) if part.id == self.id => return Ok(true),
            Some(part) => {
                return refuse(format!(
                    "it holds part of the runs of {}. Finish that move, or give another database",
                    part.place
                ));
            }
            None if is_done => return Ok(false),
            None => {}
        }
        for table in MOVED {
            if !self.to.is_empty(table).await? {
                return refuse(format!("its table `{}` already has rows. Give an empty database", table.name));
            }
        }
        self.to.begin(self.note(FROM, &self.from.place, false)).await?;
        Ok(true)
    }

    /// Release the runs of dead executors first: a run must have no owner when it is moved.
    async fn release_runs(&self) -> Result<(), Error> {
        // Their limits are for an executor to say.
        while self.from.store.release_orphans(&RecoveryLimits::unknown()).await?.total() > 0 {}
        let owned = self.from.store.read("moves.owned", (), |tx, ()| Box::pin(moves::owned(tx))).await?;
        if owned > 0 {
            let message = format!(
                "internal error: {owned} runs of {} have an owner that does not exist: please report this",
                self.from.place
            );
            return Err(Error::new(Code::Corrupt, message));
        }
        Ok(())
    }

    async fn copy(
        &self,
        table: &'static Table,
        mut upto: Option<Vec<Cell>>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        let columns = self.columns(table).await?;
        let key = places(table, &columns.0)?;
        let (mut size, mut taken) = (PageSize { rows: 100, ..PAGE }, 0);
        loop {
            let rows = self.from.page(table, &columns.0, upto.clone(), size).await?;
            let bytes: usize = rows.iter().flatten().map(Cell::size).sum();
            let last = rows.last().map(|row| key.iter().map(|at| row[*at].clone()).collect::<Vec<_>>());
            let done = last.is_none();
            upto = last.or(upto);
            let part = Part { upto: upto.clone(), ..self.note(&part_of(table), "", done) };
            taken += rows.len() as u64;
            self.to.take(table, columns.1.clone(), rows, part).await?;
            progress(taken);
            if done {
                return Ok(());
            }
            // Rows are of similar size, and rows read beyond the page's limit are read in vain.
            size.rows = if bytes * 4 < PAGE.bytes { (size.rows * 2).min(PAGE.rows) } else { size.rows };
        }
    }

    /// The columns of a table in both databases; they must have the same names in the same order.
    async fn columns(&self, table: &'static Table) -> Result<(Arc<Vec<Column>>, Arc<Vec<Column>>), Error> {
        let (from, to) = (self.from.columns(table).await?, self.to.columns(table).await?);
        if from.iter().map(|it| &it.name).ne(to.iter().map(|it| &it.name)) {
            let message = format!(
                "the two databases have different columns in the table `{}`: use the same version of Onward for both",
                table.name
            );
            return Err(Error::new(Code::Schema, message));
        }
        Ok((from, to))
    }
}

fn same() -> Error {
    Error::new(Code::Invalid, "both URLs name the same database: there is nothing to move")
}

fn part_of(table: &Table) -> String {
    format!("table {}", table.name)
}
