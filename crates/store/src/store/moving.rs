//! Moving everything to another database: until one machine is outgrown, or for any other reason.
//!
//! Both databases note the move first, and from then on nobody executes in either. Rows are taken over page by page, each page in
//! one transaction with the note of how far it goes, so a move that is killed goes on where it was. At the end both databases are
//! read once more, table by table: only what is equal counts as moved.

use std::sync::Arc;
use std::time::Duration;

use onward_types::{Code, Error};
use sha2::{Digest, Sha256};

use super::{Db, Store};
use crate::clock::Clock;
use crate::driver::copy::{self, Cell, Column, PageSize};
use crate::driver::sqlite::ExecutorLock;
use crate::migrate::Tables;
use crate::ops::moves::{self, FROM, Part, TO};
use crate::tables::{MOVED, Table};
use crate::url::DatabaseUrl;

/// A page ends with this many rows, or the row that passes this many bytes.
const PAGE: PageSize = PageSize { rows: 1_000, bytes: 4 * 1024 * 1024 };
/// How long an executor of PostgreSQL is watched for a sign of life, which it gives five times a lease of 5 s.
const WATCHED: Duration = Duration::from_secs(6);

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

/// One of the two.
struct End {
    store: Store,
    place: String,
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
        let owned = self.from.store.read(|tx| Box::pin(moves::owned(tx))).await?;
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

/// Where the key of a table stands among its columns.
fn places(table: &Table, columns: &[Column]) -> Result<Vec<usize>, Error> {
    let place = |key: &&str| columns.iter().position(|column| column.name == *key);
    let places = table.key.iter().map(place).collect::<Option<Vec<_>>>();
    places.ok_or_else(|| Error::new(Code::Corrupt, format!("the table `{}` lacks a column of its key", table.name)))
}

impl End {
    async fn open(url: &DatabaseUrl, tables: Tables, clock: &Clock) -> Result<End, Error> {
        let store = Store::open_with(url, tables, clock.clone()).await?;
        let place = store.place();
        Ok(End { store, place })
    }

    /// See that no executor is at work; on SQLite none can begin from now on.
    async fn hold(&self) -> Result<Option<ExecutorLock>, Error> {
        let lock = match &self.store.db {
            Db::Sqlite(sqlite) => sqlite.lock_executor()?,
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        };
        self.see_nobody_at_work().await?;
        Ok(lock)
    }

    /// On PostgreSQL the dead and the living are told apart by their beat alone.
    async fn see_nobody_at_work(&self) -> Result<(), Error> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let before = self.store.executors().await?;
        if before.iter().all(|row| row.dead) {
            return Ok(());
        }
        self.store.clock().sleep(WATCHED).await;
        for row in self.store.executors().await?.into_iter().filter(|row| !row.dead) {
            let is_silent = before.iter().any(|it| it.id == row.id && it.beat == row.beat);
            if !is_silent || !self.store.declare_dead(&row.id, row.beat).await? {
                return Err(moves::at_work(&row));
            }
        }
        Ok(())
    }

    /// Note where this database goes; an earlier move to the same place goes on. The id of the move, and whether it is done.
    async fn note_source(&self, place: &str) -> Result<(String, bool), Error> {
        if let Some(part) = self.parts().await?.into_iter().find(|it| it.part == TO) {
            if part.place == place {
                return Ok((part.id, part.done));
            }
            let message = format!(
                "the runs of {} were moved to {}, or a part of them: finish that move, or call it off with `onward move --undo`",
                self.place, part.place
            );
            return Err(Error::new(Code::Conflict, message));
        }
        let id = self.store.clock().uuid().simple().to_string();
        let part = Part { part: TO.to_owned(), id: id.clone(), place: place.to_owned(), done: false, upto: None };
        self.begin(part).await?;
        Ok((id, false))
    }

    async fn parts(&self) -> Result<Vec<Part>, Error> {
        self.store.read(|tx| Box::pin(moves::read(tx))).await
    }

    async fn begin(&self, part: Part) -> Result<(), Error> {
        let now = self.store.clock().now();
        let begin = self.store.write(move |tx| {
            let part = part.clone();
            Box::pin(async move { moves::begin(tx, &part, now).await })
        });
        begin.await
    }

    async fn put(&self, part: Part) -> Result<(), Error> {
        let now = self.store.clock().now();
        let put = self.store.write(move |tx| {
            let part = part.clone();
            Box::pin(async move { moves::put(tx, &part, now).await })
        });
        put.await
    }

    async fn forget(&self, part: String) -> Result<(), Error> {
        let forget = self.store.write(move |tx| {
            let part = part.clone();
            Box::pin(async move { moves::forget(tx, &part).await })
        });
        forget.await
    }

    async fn end(&self) -> Result<(), Error> {
        self.store.write(|tx| Box::pin(moves::end(tx))).await?;
        match &self.store.db {
            Db::Sqlite(sqlite) => Ok(sqlite.put_away().await?),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Ok(()),
        }
    }

    async fn columns(&self, table: &'static Table) -> Result<Arc<Vec<Column>>, Error> {
        let columns = self.store.read(move |tx| Box::pin(copy::columns(tx, table))).await?;
        Ok(Arc::new(columns))
    }

    async fn page(
        &self,
        table: &'static Table,
        columns: &Arc<Vec<Column>>,
        after: Option<Vec<Cell>>,
        size: PageSize,
    ) -> Result<Vec<Vec<Cell>>, Error> {
        let (columns, after) = (columns.clone(), Arc::new(after));
        let page = self.store.read(move |tx| {
            let (columns, after) = (columns.clone(), after.clone());
            Box::pin(async move { tx.page(table, &columns, after.as_deref(), size).await })
        });
        page.await
    }

    /// Take rows over, and note how far that is, in one transaction.
    async fn take(
        &self,
        table: &'static Table,
        columns: Arc<Vec<Column>>,
        rows: Vec<Vec<Cell>>,
        part: Part,
    ) -> Result<(), Error> {
        let now = self.store.clock().now();
        let (rows, part) = (Arc::new(rows), Arc::new(part));
        let take = self.store.write(move |tx| {
            let (columns, rows, part) = (columns.clone(), rows.clone(), part.clone());
            Box::pin(async move {
                // The answer to the commit of this very page may have been lost.
                let noted = moves::read(tx).await?.into_iter().find(|it| it.part == part.part);
                if noted.as_ref() == Some(&*part) {
                    return Ok(());
                }
                if !rows.is_empty() {
                    tx.add(table, &columns, &rows).await?;
                }
                moves::put(tx, &part, now).await
            })
        });
        take.await
    }

    async fn clear(&self, table: &'static Table) -> Result<u64, Error> {
        self.store.write(move |tx| Box::pin(tx.clear(table, PAGE.rows))).await
    }

    async fn is_empty(&self, table: &'static Table) -> Result<bool, Error> {
        let columns = self.columns(table).await?;
        let one = PageSize { rows: 1, ..PAGE };
        Ok(self.page(table, &columns, None, one).await?.is_empty())
    }

    /// What the rows of a table come to.
    async fn sum(&self, table: &'static Table) -> Result<Sum, Error> {
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

/// The sum of the digests of rows: the same in whatever order they come.
#[derive(Default)]
struct Sum {
    rows: u64,
    sum: u128,
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        let mut hash = Sha256::new();
        for cell in row {
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Int(int) => (1, &int.to_be_bytes()),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        let digest = hash.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(half));
        self.rows += 1;
    }

    fn digest(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_knows_every_cell_and_no_order() {
        let rows = [vec![Cell::Int(1), Cell::Text("a".into())], vec![Cell::Null, Cell::Bytes(b"a".to_vec())]];
        let of = |rows: &[&Vec<Cell>]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row));
            (sum.rows, sum.digest())
        };
        assert_eq!(of(&[&rows[0], &rows[1]]), of(&[&rows[1], &rows[0]]));
        assert_ne!(of(&[&rows[0]]), of(&[&vec![Cell::Int(1), Cell::Bytes(b"a".to_vec())]]));
        assert_ne!(of(&[&rows[0]]), of(&[&rows[0], &rows[0]]));
    }
}
