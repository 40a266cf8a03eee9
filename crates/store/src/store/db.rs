//! The database behind a store and how an operation reaches it: in a transaction, under a span with its name, retried while the
//! database is unavailable.

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

/// How long a call keeps retrying while the database is unavailable.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) enum Db {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

impl Store {
    /// Read, retrying for [`PATIENCE`] while the database is unavailable or busy.
    pub(super) async fn read<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let _busy = self.clock.busy();
        let work = bound(given, work);
        Ok(self.patiently(|| self.db.read(work.clone())).instrument(span(op)).await?)
    }

    /// Write, retrying for [`PATIENCE`] while the database is unavailable or busy.
    pub(super) async fn write<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let _busy = self.clock.busy();
        let work = bound(given, work);
        Ok(self.patiently(|| self.db.write(work.clone())).instrument(span(op)).await?)
    }

    /// Write without retrying: the caller retries later or handles the failure.
    pub(super) async fn try_write<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let _busy = self.clock.busy();
        self.db.write(bound(given, work)).instrument(span(op)).await
    }

    /// Write without retrying, on the heartbeat connection if there is one: a heartbeat must not wait behind slow statements.
    pub(super) async fn try_beat<A, T>(&self, op: &'static str, given: A, work: impl Work<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let _busy = self.clock.busy();
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

/// The work of an operation inside a transaction, with the arguments of its caller. It may run more than once if the database
/// requires a retry.
pub(super) trait Work<A, T>:
    for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static
{
}

impl<A, T, F> Work<A, T> for F where
    F: for<'t> Fn(&'t mut Tx, &'t A) -> BoxFuture<'t, Result<T, Fault>> + Send + Sync + 'static
{
}

/// Binds the work to its arguments, in the form that the drivers take.
fn bound<A: Send + Sync + 'static, T>(given: A, work: impl Work<A, T>) -> impl Transact<T> + Clone {
    let shared = Arc::new((given, work));
    move |tx: &mut Tx| {
        let shared = shared.clone();
        Box::pin(async move { (shared.1)(tx, &shared.0).await })
    }
}

/// The span of one operation. When this level is disabled, it costs only the check.
fn span(op: &'static str) -> tracing::Span {
    tracing::debug_span!(target: "onward::store", "onward.store", op)
}
