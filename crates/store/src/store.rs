//! A store: one database, of either kind, and what can be asked of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onward_types::Error;
use tokio::sync::broadcast;

use crate::clock::Clock;
use crate::codec::{Codec, Sealer};
#[cfg(feature = "postgres")]
use crate::driver::postgres::Postgres;
use crate::driver::sqlite::{Place, Sqlite};
use crate::migrate::Tables;
use crate::ops::moves;
use crate::signal::Signal;
use crate::url::DatabaseUrl;

mod archive;
mod claims;
mod create;
mod db;
mod executors;
mod moving;
mod queues;
mod retention;
mod runs;
mod schedules;
mod steering;
mod talk;
mod transactions;

use create::Creates;
use db::Db;
pub use executors::Seat;
pub use moving::{Move, MovedTable};

/// Signals that a slow receiver may be behind before it is told to look at everything.
const SIGNALS: usize = 1024;

/// One database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
    signals: broadcast::Sender<Signal>,
    sealer: Sealer,
    creates: Creates,
    /// When wake-ups that were missed are worth looking for, in uptime.
    next_sweep: Arc<Mutex<Duration>>,
}

impl Store {
    /// Open a database and bring its schema up to date.
    ///
    /// # Errors
    /// Where the URL is not understood, the database cannot be reached, or its schema is too new.
    pub async fn open(url: &DatabaseUrl, clock: Clock) -> Result<Store, Error> {
        Store::open_with(url, Tables::BringUpToDate, clock).await?.unless_moved().await
    }

    /// Open a database that has its tables already. Nothing is made, and nothing changed in what is not ours.
    ///
    /// # Errors
    /// As [`open`](Store::open); [`Code::Schema`](onward_types::Code::Schema) where there are no tables of Onward or they
    /// are of an older version, and [`Code::Invalid`](onward_types::Code::Invalid) for a database in memory.
    pub async fn open_existing(url: &DatabaseUrl, clock: Clock) -> Result<Store, Error> {
        Store::open_with(url, Tables::TakeAsTheyAre, clock).await?.unless_moved().await
    }

    /// A database whose runs were moved to another one is of no use to anybody.
    async fn unless_moved(self) -> Result<Store, Error> {
        self.read("moves.check_moved", (), |tx, ()| Box::pin(moves::check_moved(tx))).await?;
        Ok(self)
    }

    async fn open_with(url: &DatabaseUrl, tables: Tables, clock: Clock) -> Result<Store, Error> {
        let (signals, _) = broadcast::channel(SIGNALS);
        let db = match url {
            DatabaseUrl::Sqlite { path, synchronous, beside_others } => {
                let place = Place::new(path.as_deref(), &clock)?.with(*synchronous, *beside_others);
                let sqlite = Sqlite::open(&place, tables, &clock, &signals)?;
                if tables == Tables::BringUpToDate {
                    sqlite.migrate().await?;
                }
                Db::Sqlite(sqlite)
            }
            #[cfg(feature = "postgres")]
            DatabaseUrl::Postgres(url) => Db::Postgres(Postgres::open(url, tables, &clock, &signals).await?),
            #[cfg(not(feature = "postgres"))]
            DatabaseUrl::Postgres(_) => {
                let message =
                    "this binary was built without PostgreSQL: add the feature `postgres` of the crate onward";
                return Err(Error::new(onward_types::Code::Invalid, message));
            }
        };
        Ok(Store {
            db,
            clock,
            signals,
            sealer: Sealer::default(),
            creates: Creates::default(),
            next_sweep: Arc::default(),
        })
    }

    /// The same database, its payloads encoded and decoded by this codec.
    #[must_use]
    pub fn with_codec(&self, codec: Arc<dyn Codec>) -> Store {
        Store { sealer: Sealer::new(codec), ..self.clone() }
    }

    /// The secret by which inputs are compared, if there is a codec.
    #[must_use]
    pub fn hash_key(&self) -> Option<[u8; 32]> {
        self.sealer.hash_key()
    }

    /// The time that this store lives by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where the database is, for people: without the secrets of its URL.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.place(),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.place(),
        }
    }

    /// Whether several executors may share this database, and so watch over each other.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self.db, Db::Sqlite(_))
    }

    /// What is committed from now on, by this process or another, as far as somebody may wait for it.
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// Tell this process what was committed.
    pub fn tell(&self, signal: Signal) {
        // Without a receiver nobody waits.
        self.signals.send(signal).ok();
    }

    /// Somebody in this process waits for a change by another one: look often, or be told, for the next minute.
    pub async fn listen_closely(&self) {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.watch_closely(crate::clock::add(self.clock.now(), Duration::from_secs(2))),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.announce_listening().await,
        }
    }

    /// Why nothing more is written by this process, if that is so: the SQLite file was deleted, moved or replaced while it was
    /// open, or is damaged.
    #[must_use]
    pub fn lost(&self) -> Option<Error> {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.lost(),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        }
    }

    /// Wait until other processes were told of what was committed here, but not for long: for a process that is about to end.
    pub async fn tell_others(&self) {
        match &self.db {
            Db::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.tell_others().await,
        }
    }
}
