//! A store: one database of either kind, and every operation on it.

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
mod changes;
mod claims;
mod counts;
mod create;
mod db;
mod documents;
mod executors;
mod inside;
mod moving;
mod people;
mod queues;
mod retention;
mod runs;
mod schedules;
mod steering;
mod talk;
mod transactions;
mod workflows;

use create::Creates;
use db::Db;
pub use executors::Seat;
pub use moving::{Move, MovedTable};

/// How many signals a slow receiver may fall behind before it gets [`Signal::Look`] instead of the ones it missed.
const SIGNALS: usize = 1024;

/// One database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
    signals: broadcast::Sender<Signal>,
    sealer: Sealer,
    creates: Creates,
    /// The uptime at which the next sweep for missed wake-ups is due.
    next_sweep: Arc<Mutex<Duration>>,
}

impl Store {
    /// Open a database and bring its schema up to date.
    ///
    /// # Errors
    /// If the URL is invalid, the database cannot be reached, or its schema is too new.
    pub async fn open(url: &DatabaseUrl, clock: Clock) -> Result<Store, Error> {
        Store::open_with(url, Tables::BringUpToDate, clock).await?.unless_moved().await
    }

    /// Open a database that already has Onward's tables. Creates nothing and leaves everyone else's tables alone.
    ///
    /// # Errors
    /// As [`open`](Store::open); [`Code::Schema`](onward_types::Code::Schema) if Onward's tables are missing or from an older
    /// version, and [`Code::Invalid`](onward_types::Code::Invalid) for an in-memory database.
    pub async fn open_existing(url: &DatabaseUrl, clock: Clock) -> Result<Store, Error> {
        Store::open_with(url, Tables::TakeAsTheyAre, clock).await?.unless_moved().await
    }

    /// Refuse a database whose runs were moved to another one.
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
                    "this binary was built without PostgreSQL: enable the feature `postgres` of the crate onward";
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

    /// The same database with a codec that encodes and decodes payloads.
    #[must_use]
    pub fn with_codec(&self, codec: Arc<dyn Codec>) -> Store {
        Store { sealer: Sealer::new(codec), ..self.clone() }
    }

    /// The secret with which inputs are hashed for comparison. `None` without a codec.
    #[must_use]
    pub fn hash_key(&self) -> Option<[u8; 32]> {
        self.sealer.hash_key()
    }

    /// The clock from which this store takes the time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The location of the database for display, without the secrets of its URL.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.place(),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.place(),
        }
    }

    /// Whether several executors may share this database and so watch each other's heartbeats.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self.db, Db::Sqlite(_))
    }

    /// Receives a signal for each commit, by this process or another one, that somebody may be waiting for.
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// Notify the waiters of this process of a commit.
    pub fn tell(&self, signal: Signal) {
        if let Some(activity) = self.clock.activity() {
            activity.note_progress();
        }
        // Sending fails if there are no receivers, which is fine: then nothing waits.
        self.signals.send(signal).ok();
    }

    /// Notice changes by other processes promptly: on SQLite, poll often for the next 2 s; on PostgreSQL, announce that this
    /// process listens for notifications.
    pub async fn listen_closely(&self) {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.watch_closely(crate::clock::add(self.clock.now(), Duration::from_secs(2))),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.announce_listening().await,
        }
    }

    /// The reason why this process has stopped writing, if it has: the SQLite file was deleted, moved, replaced or damaged
    /// while it was open. Always `None` on PostgreSQL.
    #[must_use]
    pub fn lost(&self) -> Option<Error> {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.lost(),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        }
    }

    /// Wait briefly until other processes have been notified of the commits made here. Call it before the process ends.
    pub async fn tell_others(&self) {
        match &self.db {
            Db::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.tell_others().await,
        }
    }
}
