//! Moving everything to another database: until one machine is outgrown, or for any other reason.
//!
//! Both databases note the move first, and from then on nobody executes in either. Rows are taken over page by page, each page in
//! one transaction with the note of how far it goes, so a move that is killed goes on where it was. At the end both databases are
//! read once more, table by table: only what is equal counts as moved.

use std::sync::Arc;

use onward_types::{Code, Error};

use crate::clock::Clock;
use crate::driver::copy::{Cell, Column, PageSize};
use crate::driver::sqlite::ExecutorLock;
use crate::migrate::Tables;
use crate::ops::moves::{self, FROM, Part, TO};
use crate::tables::{MOVED, Table};
use crate::url::DatabaseUrl;

mod end;
mod sum;

use end::{End, places};

/// A page ends with this many rows, or the row that passes this many bytes.
const PAGE: PageSize = PageSize { rows: 1_000, bytes: 4 * 1024 * 1024 };

/// How a table came over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows there are where it comes from.
    pub from_rows: u64,
    /// How many rows there are where it went.
    pub to_rows: u64,
    /// What its rows come to, whatever their order, where it comes from.
    pub from_digest: String,
    /// And where it went.
    pub to_digest: String,
}

impl MovedTable {
    /// Whether every row is there as it was.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.from_rows == self.to_rows && self.from_digest == self.to_digest
    }
}

/// Two databases of which one is moved into the other.
pub struct Move {
    from: End,
    to: End,
    id: String,
    /// On SQLite nobody executes while these are held.
    _locks: [Option<ExecutorLock>; 2],
}

impl Move {
    /// Open both databases, see that nobody executes in them, and note that everything of one goes to the other. The other has to
    /// be empty, but for what an earlier call that was interrupted took over. None: an earlier call has moved everything.
    ///
    /// # Errors
    /// Where a database cannot be used, [`Code::Conflict`] where an executor is at work in it or it has other data, and
    /// [`Code::Invalid`] where both are the same.
    pub async fn begin(from: &DatabaseUrl, to: &DatabaseUrl, clock: Clock) -> Result<Option<Move>, Error> {
        for url in [from, to] {
            if matches!(url, DatabaseUrl::Sqlite { path: None, .. }) {
                return Err(Error::new(
                    Code::Invalid,
                    "a database in memory is seen by its own process alone: name a file or PostgreSQL",
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
            // Nothing was taken over, so nothing has to keep this one from being executed.
            moving.from.forget(TO.to_owned()).await?;
        }
        Ok(goes_on?.then_some(moving))
    }

    /// Where everything comes from, and where it goes, without secrets.
    #[must_use]
    pub fn places(&self) -> (&str, &str) {
        (&self.from.place, &self.to.place)
    }

    /// Take over what is still missing. `progress` hears of each page: the table and how many rows of it came with this call.
    ///
    /// # Errors
    /// Where a database cannot be reached; what was taken over stays, and another call goes on with the rest.
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

    /// Read both databases, and compare them table by table.
    ///
    /// # Errors
    /// Where a database cannot be reached.
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

    /// Everything is there: from now on the one database says where its runs are, and the other one is as any other.
    ///
    /// # Errors
    /// Where a database cannot be reached; another move of the same two ends it.
    pub async fn end(self) -> Result<(), Error> {
        let to = self.note(TO, &self.to.place, true);
        self.from.put(to).await?;
        self.to.end().await
    }

    /// Some tables are not equal, for they changed meanwhile: have them taken over again by another move.
    ///
    /// # Errors
    /// Where a database cannot be reached.
    pub async fn take_back(&self, tables: &[MovedTable]) -> Result<(), Error> {
        for table in MOVED.iter().filter(|table| tables.iter().any(|it| it.table == table.name)) {
            while self.to.clear(table).await? > 0 {}
            self.to.forget(part_of(table)).await?;
        }
        Ok(())
    }

    /// Call a move off: the database that it was begun on, or came to its end on, may execute its runs again.
    ///
    /// # Errors
    /// Where the database cannot be used, or is not moved.
    pub async fn undo(from: &DatabaseUrl, clock: Clock) -> Result<String, Error> {
        let from = End::open(from, Tables::TakeAsTheyAre, &clock).await?;
        let _lock = from.hold().await?;
        match from.parts().await?.into_iter().find(|it| it.part == TO) {
            Some(part) => from.forget(TO.to_owned()).await.map(|()| part.place),
            None => Err(Error::new(Code::Conflict, format!("the runs of {} are not moved anywhere", from.place))),
        }
    }

    fn note(&self, part: &str, place: &str, done: bool) -> Part {
        Part { part: part.to_owned(), id: self.id.clone(), place: place.to_owned(), done, upto: None }
    }

    /// Note where the other database is filled from. False: it was, and is in use by now.
    async fn note_target(&self, is_done: bool) -> Result<bool, Error> {
        let parts = self.to.parts().await?;
        if parts.iter().any(|it| it.part == TO && it.id == self.id) {
            return Err(same());
        }
        let place = &self.to.place;
        let refuse = |why: String| Err(Error::new(Code::Conflict, format!("nothing is moved to {place}: {why}")));
        match parts.iter().find(|it| it.part == FROM) {
            Some(part) if part.id == self.id => return Ok(true),
            Some(part) => {
                return refuse(format!(
                    "it has a part of the runs of {}. Finish that move, or give another database",
                    part.place
                ));
            }
            None if is_done => return Ok(false),
            None => {}
        }
        for table in MOVED {
            if !self.to.is_empty(table).await? {
                return refuse(format!("it has rows in its table `{}` already. Give an empty database", table.name));
            }
        }
        self.to.begin(self.note(FROM, &self.from.place, false)).await?;
        Ok(true)
    }

    /// What dead executors left is released first: a run that is moved has no owner.
    async fn release_runs(&self) -> Result<(), Error> {
        while self.from.store.release_orphans().await?.total() > 0 {}
        let owned = self.from.store.read("moves.owned", (), |tx, ()| Box::pin(moves::owned(tx))).await?;
        if owned > 0 {
            let message =
                format!("{owned} runs of {} have an owner that cannot be found: report this", self.from.place);
            return Err(Error::new(Code::Conflict, message));
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
            // Rows are of one size more or less, and what does not fit is read in vain.
            size.rows = if bytes * 4 < PAGE.bytes { (size.rows * 2).min(PAGE.rows) } else { size.rows };
        }
    }

    /// The columns of a table in both databases: they have the same names in the same order.
    async fn columns(&self, table: &'static Table) -> Result<(Arc<Vec<Column>>, Arc<Vec<Column>>), Error> {
        let (from, to) = (self.from.columns(table).await?, self.to.columns(table).await?);
        if from.iter().map(|it| &it.name).ne(to.iter().map(|it| &it.name)) {
            let message = format!(
                "the table `{}` has other columns there than here: is one of them of a newer Onward?",
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
