//! The feed of changes: followers of this database, and what they read.

use std::time::Duration;

use onward_types::{Error, Filter, RunKey};

use super::Store;
use crate::clock::add;
use crate::fault::Fault;
use crate::ops::changes::{self, ChangePage, KEPT, LOCK_TIMEOUTS, Noted, Position, Seen, TABLES, Tended};

/// How many waits for the lock on a table may fail when triggers are created; the first ones are short.
const WAITS: usize = 12;
const SHORT_WAITS: usize = 5;
/// How many, all of them short, when they are dropped: that lock keeps out readers too, and it can be tried again in a minute.
const WAITS_TO_DROP: usize = 3;
/// Between two waits others go on.
const PAUSE: Duration = Duration::from_millis(250);

impl Store {
    /// Register a follower, or renew it. From then on, and for some minutes after its last renewal, every change is recorded.
    /// Returns the position after every change so far.
    ///
    /// # Errors
    /// [`Code::Busy`](onward_types::Code::Busy) if a table is locked for too long, or if the database cannot be reached.
    pub async fn follow(&self, follower: &str) -> Result<Position, Error> {
        loop {
            let given = (follower.to_owned(), add(self.clock.now(), KEPT));
            let register = self.write("changes.register", given, |tx, (follower, until)| {
                Box::pin(changes::register(tx, follower, *until))
            });
            if !register.await? {
                self.begin_recording().await?;
            }
            // Without an epoch, it ended in between: everybody's registration had expired.
            if let Some(head) = self.changes_head().await? {
                return Ok(head);
            }
        }
    }

    /// Create the triggers, and begin an epoch. Each table has a transaction of its own: one that held several tables would wait for
    /// writers that wait for it.
    async fn begin_recording(&self) -> Result<(), Error> {
        for table in self.followed_tables() {
            let create = |timeout: &'static str| {
                self.try_write("changes.follow_table", *table, move |tx, table| {
                    Box::pin(changes::follow_table(tx, table, timeout))
                })
            };
            locking(WAITS, create).await?;
        }
        let epoch = self.clock.uuid().simple().to_string();
        self.write("changes.begin", epoch, |tx, epoch| Box::pin(changes::begin(tx, epoch))).await
    }

    /// On SQLite one script serves all tables.
    fn followed_tables(&self) -> &'static [&'static str] {
        if self.is_shared() { &TABLES } else { &TABLES[..1] }
    }

    /// The position after every change so far. `None` if nobody follows.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn changes_head(&self) -> Result<Option<Position>, Error> {
        self.read("changes.head", (), |tx, ()| Box::pin(changes::head(tx))).await
    }

    /// Up to `limit` changes after a position. `None` if some may be gone, or if the position is not one of this database: then only
    /// a look at all runs helps.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn changes_since(&self, after: &Position, limit: u32) -> Result<Option<ChangePage>, Error> {
        self.read("changes.since", after.clone(), move |tx, after| Box::pin(changes::since(tx, after, limit))).await
    }

    /// What a follower with this filter is told of runs that changed, in no order.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for attributes that no run can have, or if the database cannot be
    /// reached.
    pub async fn changed_runs(&self, filter: &Filter, changed: Vec<Noted>) -> Result<Vec<Seen>, Error> {
        let given = (filter.clone(), changed, self.clock.now());
        let report = self.read("changes.runs", given, |tx, (filter, changed, now)| {
            Box::pin(changes::report(tx, filter, changed, *now))
        });
        report.await
    }

    /// One page of the runs that match a filter, oldest first, for a follower that begins.
    ///
    /// # Errors
    /// As [`changed_runs`](Store::changed_runs).
    pub async fn matching_runs(&self, filter: &Filter, after: Option<RunKey>, limit: u32) -> Result<Vec<Seen>, Error> {
        let given = (filter.clone(), self.clock.now());
        let page = self.read("changes.page", given, move |tx, (filter, now)| {
            Box::pin(changes::page(tx, filter, after, limit, *now))
        });
        page.await
    }

    /// Renew a follower and tidy up: forget followers that vanished, delete changes that nobody needs, and record nothing more if
    /// nobody follows. Returns whether the follower was still registered; if not, it has to register again and may have missed changes.
    ///
    /// # Errors
    /// If the database cannot be reached, or if the triggers could not be removed yet.
    pub async fn tend_changes(&self, follower: &str) -> Result<bool, Error> {
        self.tend(Some(follower.to_owned())).await
    }

    /// As [`tend_changes`](Store::tend_changes), for an executor, which follows nothing: should the last follower have vanished,
    /// somebody has to notice.
    ///
    /// # Errors
    /// See [`tend_changes`](Store::tend_changes).
    pub async fn tend_changes_of_others(&self) -> Result<(), Error> {
        if self.read("changes.state", (), |tx, ()| Box::pin(changes::is_in_use(tx))).await? {
            self.tend(None).await?;
        }
        Ok(())
    }

    /// Forget a follower. If it was the last one, nothing more is recorded.
    ///
    /// # Errors
    /// If the database cannot be reached, or if the triggers could not be removed yet: executors try again each minute.
    pub async fn unfollow(&self, follower: &str) -> Result<(), Error> {
        let leave =
            self.write("changes.leave", follower.to_owned(), |tx, follower| Box::pin(changes::leave(tx, follower)));
        leave.await?;
        self.tend(None).await.map(drop)
    }

    async fn tend(&self, follower: Option<String>) -> Result<bool, Error> {
        let given = (follower, self.clock.now());
        let tend = self
            .write("changes.tend", given, |tx, (follower, now)| Box::pin(changes::tend(tx, follower.as_deref(), *now)));
        let Tended { is_registered, is_pruned, is_over } = tend.await?;
        if is_pruned {
            while self.write("changes.prune", (), |tx, ()| Box::pin(changes::prune(tx))).await? {}
        }
        if is_over {
            self.end_recording().await?;
        }
        Ok(is_registered)
    }

    async fn end_recording(&self) -> Result<(), Error> {
        for table in self.followed_tables() {
            let drop = |timeout: &'static str| {
                self.try_write("changes.remove", *table, move |tx, table| Box::pin(changes::remove(tx, table, timeout)))
            };
            if !locking(WAITS_TO_DROP, drop).await? {
                return Ok(());
            }
        }
        self.write("changes.removed", (), |tx, ()| Box::pin(changes::removed(tx))).await
    }
}

/// Retries while a table is locked.
async fn locking<T, F: Future<Output = Result<T, Fault>>>(
    waits: usize,
    attempt: impl Fn(&'static str) -> F,
) -> Result<T, Error> {
    let mut made = 0;
    loop {
        let timeout = LOCK_TIMEOUTS[usize::from(made >= SHORT_WAITS)];
        match attempt(timeout).await {
            Err(fault) if fault.is_passing() && made < waits => {
                made += 1;
                crate::real_time::sleep(PAUSE).await;
            }
            done => return Ok(done?),
        }
    }
}
