//! PostgreSQL: one session commits the journal's batches, one sends heartbeats, one receives and sends signals, and a pool
//! serves everything else.

mod batch;
mod columns;
mod connect;
mod copy;
mod fault;
mod limit;
mod listen;
mod migrate;
mod notify;
mod pipeline;
mod pool;
pub(crate) mod row;
mod schema;
mod tls;
mod transaction;
mod tx;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use onward_types::ExecutorId;
use tokio::sync::broadcast;

pub(crate) use transaction::UserTransaction;
pub(crate) use tx::Tx;

use crate::clock::Clock;
use crate::driver::Transact;
use crate::fault::{Cure, Fault};
use crate::journal::Journal;
use crate::migrate::Tables;
use crate::signal::Signal;
use connect::{OF_MIGRATION, OF_POOL, OF_TRANSACTION, Server};
use listen::{Listener, Listeners};
use notify::Notifier;
use pool::Sessions;

/// Sessions for reads and for writes outside the journal, all short. Several processes share the 100 connections that a server
/// grants by default.
const POOL: usize = 10;
/// Sessions for user transactions. Each transaction keeps one until it ends.
const TRANSACTIONS: usize = 10;
/// A heartbeat that takes longer than this counts as failed.
const BEAT: Duration = Duration::from_secs(3);

const WRITE: &str = "begin";
const READ: &str = "begin isolation level repeatable read read only";

#[derive(Clone)]
pub(crate) struct Postgres(Arc<Inner>);

struct Inner {
    server: Server,
    clock: Clock,
    pool: Sessions,
    /// A single session only for heartbeats, so that they do not wait behind slow statements.
    beats: Sessions,
    transactions: Sessions,
    listeners: Listeners,
    notifier: Notifier,
    _listener: Listener,
}

impl Postgres {
    /// Connect, migrate or check the tables, and start listening.
    pub(crate) async fn open(
        url: &str,
        tables: Tables,
        clock: &Clock,
        signals: &broadcast::Sender<Signal>,
    ) -> Result<Postgres, Fault> {
        let server = Server::parse(url)?;
        let session = server.session("onward-migration", OF_MIGRATION).await?;
        match tables {
            Tables::BringUpToDate => {
                if let Some(schema) = server.schema() {
                    schema.create(&session).await?;
                }
                migrate::migrate(&session, &server.place()).await?;
            }
            Tables::TakeAsTheyAre => migrate::check(&session, &server.place()).await?,
        }
        learn_time(&session, clock).await?;
        drop(session);
        let listeners = Listeners::default();
        let notifier = Notifier::new(signals.clone());
        let listener = Listener::start(&server, signals, &listeners, &notifier).await?;
        Ok(Postgres(Arc::new(Inner {
            pool: server.pool("onward", POOL, OF_POOL)?,
            beats: server.pool("onward-heartbeat", 1, OF_POOL)?,
            transactions: server.pool("onward-transaction", TRANSACTIONS, OF_TRANSACTION)?,
            clock: clock.clone(),
            server,
            listeners,
            notifier,
            _listener: listener,
        })))
    }

    /// Run `work` in a write transaction.
    pub(crate) async fn write<T>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        // Executors query the time every second anyway. A client does so now and then, so that what it enqueues has the
        // server's time.
        if self.0.clock.is_stale() {
            let client = self.0.pool.get().await?;
            limit::within(limit::STATEMENT, learn_time(&client, &self.0.clock)).await?;
        }
        self.transaction(&self.0.pool, WRITE, work).await
    }

    /// Run `work` in a write transaction on the heartbeat session.
    pub(crate) async fn beat<T>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        let late = |_| Fault::try_again("PostgreSQL does not answer a heartbeat");
        crate::real_time::timeout(BEAT, self.transaction(&self.0.beats, WRITE, work)).await.map_err(late)?
    }

    /// Run `work` in a read-only transaction on one snapshot.
    pub(crate) async fn read<T>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        self.transaction(&self.0.pool, READ, work).await
    }

    /// The journal of an executor that has joined.
    pub(crate) async fn journal(&self, executor: ExecutorId) -> Result<Journal, Fault> {
        let told = Told {
            listeners: self.0.listeners.clone(),
            notifier: self.0.notifier.clone(),
            others: self.0.pool.clone(),
        };
        writer::journal(&self.0.server, told, executor, &self.0.clock).await
    }

    /// The location, for display.
    pub(crate) fn place(&self) -> String {
        self.0.server.place()
    }

    /// Announce that this process waits for runs of other processes, so that they send signals when those end.
    pub(crate) async fn announce_listening(&self) {
        self.0.notifier.announce().await;
    }

    /// Wait until other processes have been notified of the commits made here.
    pub(crate) async fn tell_others(&self) {
        self.0.notifier.flush().await;
    }

    async fn transaction<T>(&self, pool: &Sessions, begin: &'static str, work: impl Transact<T>) -> Result<T, Fault> {
        let client = match pool.get().await {
            // If the server grants too few connections for the separate session, use one of the common pool.
            Err(fault) if fault.is_busy() && !Sessions::are_same(pool, &self.0.pool) => self.0.pool.get().await?,
            got => got?,
        };
        let mut tx = crate::driver::Tx::Postgres(Tx::new(client, begin));
        let done = work(&mut tx).await;
        let crate::driver::Tx::Postgres(mut tx) = tx else { unreachable!("it was made two lines above") };
        let value = match done {
            Ok(value) if begin == WRITE => value,
            // A read has nothing to commit.
            done => {
                tx.roll_back();
                return done;
            }
        };
        let signals = tx.take_signals();
        match tx.commit().await {
            Ok(()) => {
                self.0.notifier.tell_others_alone(signals).await;
                Ok(value)
            }
            Err(fault) => {
                // The transaction may have been committed although its answer was lost, and an unnecessary signal does no harm.
                if fault.cure == Cure::Reopen {
                    self.0.notifier.tell_others(signals);
                }
                Err(fault)
            }
        }
    }
}

/// Which parts are notified of batches, and which pool gives up a session for the writer.
#[derive(Clone)]
struct Told {
    listeners: Listeners,
    notifier: Notifier,
    /// The pool that gives up a session if the server grants too few.
    others: Sessions,
}

/// Query the server's time. This also gives the server's time to runs that a client enqueues before any executor has sent a
/// heartbeat.
async fn learn_time(session: &tokio_postgres::Client, clock: &Clock) -> Result<(), Fault> {
    const TIME: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sessions/time.sql"));
    let time = session.prepare(TIME).await.map_err(fault::fault)?;
    let before = clock.uptime();
    let said = session.query_one(&time, &[]).await.map_err(fault::fault)?;
    if let Some(at) = row::int(&said, "at")? {
        clock.learn(onward_types::from_micros(at), before, clock.uptime());
    }
    Ok(())
}
