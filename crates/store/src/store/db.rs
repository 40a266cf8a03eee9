//! The database behind a store, and how an operation reaches it: in a transaction, under a span that names it, and again while the
//! database is away.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use onward_types::Error;
use tracing::Instrument;

use super::Store;
#[cfg(feature = "postgres")]
use crate::driver::postgres::Postgres;
use crate::driver::sqlite::Sqlite;
use crate::driver::{Transact, Tx};
use crate::fault::Fault;

/// How long a call tries on while the database is away, before it says so.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) enum Db {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

impl Store {
    /// Read, trying again for [`PATIENCE`] while the database is away or busy.
    pub(super) async fn read<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let work = bound(given, work);
        Ok(self.patiently(|| self.db.read(work.clone())).instrument(span(op)).await?)
    }

    /// Write, trying again for [`PATIENCE`] while the database is away or busy.
    pub(super) async fn write<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let work = bound(given, work);
        Ok(self.patiently(|| self.db.write(work.clone())).instrument(span(op)).await?)
    }

    /// Write, once: the caller comes back to it, or knows what to do instead.
    pub(super) async fn try_write<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.db.write(bound(given, work)).instrument(span(op)).await
    }

    /// Write, once, on the connection for heartbeats where there is one: a heartbeat must not wait behind what is slow.
    pub(super) async fn try_beat<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.db.beat(bound(given, work)).instrument(span(op)).await
    }

    pub(super) async fn patiently<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, Fault> {
        let began = crate::real_time::now();
        let mut pause = Duration::from_millis(5);
        loop {
            match attempt().await {
                Err(fault) if fault.is_passing() && began.elapsed() < PATIENCE => {
                    crate::real_time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                }
                done => return done,
            }
        }
    }
}

impl Db {
    async fn write<T: Send + 'static>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        match self {
            Db::Sqlite(sqlite) => sqlite.write(work).await,
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.write(work).await,
        }
    }

    async fn beat<T: Send + 'static>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        match self {
            Db::Sqlite(sqlite) => sqlite.write(work).await,
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.beat(work).await,
        }
    }

    async fn read<T: Send + 'static>(&self, work: impl Transact<T>) -> Result<T, Fault> {
        match self {
            Db::Sqlite(sqlite) => sqlite.read(work).await,
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => postgres.read(work).await,
        }
    }
}

/// What an operation does in a transaction with what its caller gave. It may be done more than once, if the database asks for it.
pub(super) trait Work<A, T>:
    for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static
{
}

impl<A, T, F> Work<A, T> for F where
    F: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static
{
}

/// The work and what it is done with, as one that the drivers take.
fn bound<A: Send + Sync + 'static, T>(given: A, work: impl Work<A, T>) -> impl Transact<T> + Clone {
    let shared = Arc::new((given, work));
    move |tx: &mut Tx| {
        let shared = shared.clone();
        Box::pin(async move { (shared.1)(tx, &shared.0).await })
    }
}

/// One operation of the store. Where nobody looks at spans of this level, it costs the check for that.
fn span(op: &'static str) -> tracing::Span {
    tracing::debug_span!("onward.store", op)
}
