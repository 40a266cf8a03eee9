//! A transaction outside the journal, on a session of the pool.

use futures_util::{
    FutureExt, StreamExt,
    future::{join, try_join_all},
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::fault::{fault, named};
use super::limit::{self, within};
use super::pool::Lent;
use crate::driver::{Param, Sql};
use crate::fault::{Cure, Fault};
use crate::signal::Signal;

/// Begins together with its first statement, in one round trip. Dropping it before its end closes its session.
pub(crate) struct Tx {
    /// `None` once it has ended.
    pub(super) client: Option<Lent>,
    /// The statement that begins it; `None` once it has begun.
    begin: Option<&'static str>,
    /// Whether a statement failed: then PostgreSQL answers `commit` with a rollback and reports success.
    failed: bool,
    /// Whether the session did not answer or is gone.
    lost: bool,
    /// The statement that resets the session afterwards.
    reset: Option<&'static str>,
    /// The signals for other processes, sent after the commit.
    signals: Vec<Signal>,
}

impl Tx {
    pub(super) fn new(client: Lent, begin: &'static str) -> Tx {
        Tx { client: Some(client), begin: Some(begin), failed: false, lost: false, reset: None, signals: Vec::new() }
    }

    pub(crate) async fn query(&mut self, sql: &'static Sql, params: &[Param]) -> Result<Vec<Row>, Fault> {
        self.ask(sql, params).await.map(|(rows, _)| rows)
    }

    pub(crate) async fn execute(&mut self, sql: &'static Sql, params: &[Param]) -> Result<u64, Fault> {
        self.ask(sql, params).await.map(|(_, changed)| changed)
    }

    /// Run the statement for each of these parameter lists, in one pipeline if the transaction has begun.
    pub(crate) async fn query_each(
        &mut self,
        sql: &'static Sql,
        params: &[Vec<Param>],
    ) -> Result<Vec<Vec<Row>>, Fault> {
        if self.begin.is_some() {
            let mut each = Vec::with_capacity(params.len());
            for params in params {
                each.push(self.query(sql, params).await?);
            }
            return Ok(each);
        }
        let client = self.client.as_ref().expect("it is taken by what ends the transaction only");
        let asked = async {
            let statement = client.prepare_cached(sql.postgres()).await.map_err(|error| named(sql.name, error))?;
            let each = params.iter().map(|params| rows(client, &statement, params));
            let each = try_join_all(each).await.map_err(|error| named(sql.name, error))?;
            Ok(each.into_iter().map(|(rows, _)| rows).collect())
        };
        let asked: Result<_, Fault> = within(limit::STATEMENT, asked).await;
        self.note(asked)
    }

    /// Run these statements: the first together with the beginning of the transaction, the others in one pipeline.
    pub(crate) async fn query_all(&mut self, asked: &[(&'static Sql, &[Param])]) -> Result<Vec<Vec<Row>>, Fault> {
        let (mut all, mut asked) = (Vec::with_capacity(asked.len()), asked);
        if self.begin.is_some()
            && let [(sql, params), others @ ..] = asked
        {
            all.push(self.query(sql, params).await?);
            asked = others;
        }
        let client = self.client.as_ref().expect("it is taken by what ends the transaction only");
        let each = asked.iter().map(|(sql, params)| async move {
            let statement = client.prepare_cached(sql.postgres()).await.map_err(|error| named(sql.name, error))?;
            let rows = rows(client, &statement, params).await.map_err(|error| named(sql.name, error))?;
            Ok(rows.0)
        });
        let each: Result<Vec<Vec<Row>>, Fault> = within(limit::STATEMENT, try_join_all(each)).await;
        all.extend(self.note(each)?);
        Ok(all)
    }

    /// Notify other processes after the commit.
    pub(crate) fn notify(&mut self, signal: &Signal) {
        self.signals.push(signal.clone());
    }

    pub(super) fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.signals)
    }

    /// The session, after the transaction has begun.
    pub(super) async fn begun(&mut self) -> Result<&Lent, Fault> {
        let client = self.client.as_ref().expect("it is taken by what ends the transaction only");
        if let Some(begin) = self.begin.take() {
            client.batch_execute(begin).await.map_err(fault)?;
        }
        Ok(client)
    }

    async fn ask(&mut self, sql: &'static Sql, params: &[Param]) -> Result<(Vec<Row>, u64), Fault> {
        let asked = within(limit::STATEMENT, self.send(sql, params)).await;
        self.note(asked)
    }

    fn note<T>(&mut self, asked: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &asked {
            self.failed = true;
            self.lost |= fault.cure == Cure::Reopen;
        }
        asked
    }

    async fn send(&mut self, sql: &'static Sql, params: &[Param]) -> Result<(Vec<Row>, u64), Fault> {
        let client = self.client.as_ref().expect("it is taken by what ends the transaction only");
        let statement = client.prepare_cached(sql.postgres()).await.map_err(|error| named(sql.name, error))?;
        let asked = rows(client, &statement, params);
        let asked = match self.begin.take() {
            None => asked.await,
            Some(begin) => {
                let (begun, asked) = join(client.batch_execute(begin), asked).await;
                begun.map_err(fault)?;
                asked
            }
        };
        asked.map_err(|error| named(sql.name, error))
    }

    /// Commit. `Ok` means that it was committed.
    pub(super) async fn commit(mut self) -> Result<(), Fault> {
        if self.failed {
            self.roll_back();
            return Err(Fault::try_again("a statement of the transaction had failed"));
        }
        let Some(client) = &self.client else { return Ok(()) };
        if self.begin.is_none() {
            within(limit::STATEMENT, async { client.batch_execute("commit").await.map_err(fault) }).await?;
        }
        self.give_back();
        Ok(())
    }

    /// End the transaction without awaiting the answer: it wrote nothing, or is to be rolled back. The session's next user
    /// sends after this.
    pub(super) fn roll_back(mut self) {
        let Some(client) = &self.client else { return };
        let sent = self.begin.is_some() || !matches!(client.batch_execute("rollback").now_or_never(), Some(Err(_)));
        if sent && !self.lost {
            self.give_back();
        }
    }

    /// Reset the session's settings before its next user sends anything.
    pub(super) fn reset_with(&mut self, reset: &'static str) {
        self.reset = Some(reset);
    }

    /// The transaction has ended: return its session to the pool.
    pub(super) fn give_back(&mut self) {
        let Some(client) = self.client.take() else { return };
        let reset = self.reset.and_then(|reset| client.batch_execute(reset).now_or_never());
        if matches!(reset, Some(Err(_))) {
            client.close();
        }
    }
}

async fn rows(
    client: &tokio_postgres::Client,
    statement: &Statement,
    params: &[Param],
) -> Result<(Vec<Row>, u64), tokio_postgres::Error> {
    let params = params.iter().map(|param| param as &(dyn ToSql + Sync));
    let mut stream = std::pin::pin!(client.query_raw(statement, params).await?);
    let mut rows = Vec::new();
    while let Some(row) = stream.next().await {
        rows.push(row?);
    }
    Ok((rows, stream.rows_affected().unwrap_or(0)))
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // The future that used it was dropped midway: closing the connection ends the transaction.
            client.close();
        }
    }
}
