//! User transactions: the user's SQL and the checkpoint of the step in one commit, beside the journal.
//!
//! `docs/decisions/0007-transactional-steps.md` explains why it is safe to write a checkpoint here. This file keeps two halves
//! apart: [`SqlTx`] is given to the user's body, [`OpenTransaction`] stays with the engine, and only the latter can commit.

mod guard;
pub(crate) mod value;

use std::sync::{Arc, Mutex, MutexGuard};

use onward_types::{Code, Error, ExecutorId, RunKey};

use crate::change::Checkpoint;
use crate::codec::Sealer;
#[cfg(feature = "postgres")]
use crate::driver::postgres;
use crate::driver::sqlite;
use crate::sync::lock;
use value::{SqlParams, SqlRow, SqlValue};

/// One ownership of a run: the executor that holds it, and the ownership epoch.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The executor.
    pub executor: ExecutorId,
    /// The run.
    pub run: RunKey,
    /// The epoch: how many times the run got an owner, this one included.
    pub owners: u32,
}

/// Why a transaction was not committed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The connection or the server was lost, and nothing was written. The transaction may be tried again.
    Lost(Error),
    /// The transaction conflicted with another one, and nothing was written. It may be tried again.
    Conflict(Error),
    /// The database rejected a statement of the body, and nothing was written.
    Failed(Error),
    /// The value returned by the body cannot be encoded, and nothing was written.
    Unencoded(Error),
    /// The run was revoked from this executor, and nothing was written.
    Refused,
    /// The answer to the commit was lost: it is unknown whether the transaction was committed.
    Unknown(Error),
}

impl Failure {
    /// The error as a sentence.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Failure::Lost(error)
            | Failure::Conflict(error)
            | Failure::Failed(error)
            | Failure::Unencoded(error)
            | Failure::Unknown(error) => error.clone(),
            Failure::Refused => Error::new(Code::Fenced, "the run was revoked from this executor"),
        }
    }
}

/// The session on which a transaction runs.
pub(crate) enum Session {
    Sqlite(sqlite::UserTransaction),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::UserTransaction>),
}

/// The rows that a statement returned, and how many rows it changed.
pub(crate) type Answer = (Vec<SqlRow>, u64);

impl Session {
    async fn run(&mut self, sql: &str, values: Vec<SqlValue>) -> Result<Answer, Failure> {
        match self {
            Session::Sqlite(session) => session.run(sql, values).await,
            #[cfg(feature = "postgres")]
            Session::Postgres(session) => session.run(sql, &values).await,
        }
    }
}

struct Shared {
    /// `None` once the transaction has ended.
    session: tokio::sync::Mutex<Option<Session>>,
    /// The failure of the first statement that failed.
    failure: Mutex<Option<Failure>>,
}

impl Shared {
    fn failure(&self) -> MutexGuard<'_, Option<Failure>> {
        lock(&self.failure)
    }
}

/// The transaction in the body of `ctx.transaction`: statements with parameters, rows read by column name. It is committed
/// together with the value that the body returns, and rolled back if the body returns an error.
///
/// A statement is written in the SQL of the database, with parameters `$1`, `$2` … on both. If a statement fails, the whole
/// transaction is rolled back, whatever the body returns. On PostgreSQL a parameter is sent as text and the server converts it
/// to the type required in that place, so a text can be used for `jsonb`, `uuid`, `numeric`, `timestamptz` or an enum.
pub struct SqlTx(Arc<Shared>);

impl SqlTx {
    /// Execute a statement. Returns the number of rows that it changed.
    ///
    /// # Errors
    /// [`Code::Database`] with the database's own message, [`Code::Busy`] if the transaction conflicted with another one (then
    /// the body runs again), [`Code::TimedOut`] if the time limit on SQLite was exceeded, and [`Code::Invalid`] for a statement
    /// that would end the transaction, or with the wrong number of parameters.
    pub async fn execute(&self, sql: &str, params: impl SqlParams) -> Result<u64, Error> {
        self.run(sql, params.into_values()).await.map(|(_, changed)| changed)
    }

    /// The rows that a statement returns.
    ///
    /// # Errors
    /// Those of [`execute`](SqlTx::execute).
    pub async fn query(&self, sql: &str, params: impl SqlParams) -> Result<Vec<SqlRow>, Error> {
        self.run(sql, params.into_values()).await.map(|(rows, _)| rows)
    }

    /// The first row that a statement returns, if any.
    ///
    /// # Errors
    /// Those of [`execute`](SqlTx::execute).
    pub async fn first(&self, sql: &str, params: impl SqlParams) -> Result<Option<SqlRow>, Error> {
        self.query(sql, params).await.map(|rows| rows.into_iter().next())
    }

    async fn run(&self, sql: &str, values: Vec<SqlValue>) -> Result<Answer, Error> {
        guard::check(sql)?;
        let mut session = self.0.session.lock().await;
        if let Some(failure) = &*self.0.failure() {
            let message = format!("an earlier statement of this transaction failed: {}", failure.error());
            return Err(Error::new(failure.error().kind(), message));
        }
        let Some(session) = session.as_mut() else {
            return Err(Error::new(Code::Invalid, "the transaction has ended: use it only inside its own body"));
        };
        let mut midway = Midway(Some(&self.0));
        let ran = session.run(sql, values).await;
        midway.0 = None;
        ran.map_err(|failure| {
            let error = failure.error();
            self.0.failure().get_or_insert(failure);
            error
        })
    }
}

impl std::fmt::Debug for SqlTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlTx").finish_non_exhaustive()
    }
}

/// A statement in progress. If its future is dropped midway, it is unknown what the statement did.
struct Midway<'a>(Option<&'a Shared>);

impl Drop for Midway<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            let message = "a statement of the transaction was dropped before it finished: await every statement";
            shared.failure().get_or_insert(Failure::Failed(Error::new(Code::Invalid, message)));
        }
    }
}

/// An open transaction, as the engine holds it. Dropping it rolls it back.
pub struct OpenTransaction {
    shared: Arc<Shared>,
    owner: Owner,
    expired: sqlite::Expired,
    sealer: Sealer,
}

impl OpenTransaction {
    pub(crate) fn new(session: Session, owner: Owner, sealer: Sealer) -> OpenTransaction {
        let expired = match &session {
            Session::Sqlite(session) => session.expired(),
            #[cfg(feature = "postgres")]
            Session::Postgres(_) => sqlite::Expired::never(),
        };
        let shared = Shared { session: tokio::sync::Mutex::new(Some(session)), failure: Mutex::default() };
        OpenTransaction { shared: Arc::new(shared), owner, expired, sealer }
    }

    /// The handle for the body.
    #[must_use]
    pub fn handle(&self) -> SqlTx {
        SqlTx(self.shared.clone())
    }

    /// Resolves when the database has ended the transaction because it took too long.
    pub async fn expired(&mut self) -> Failure {
        self.expired.wait().await
    }

    /// The body has ended: accept no more statements. The session moves to the returned value, which can commit.
    ///
    /// # Errors
    /// The failure of the first statement that failed; then everything is rolled back.
    pub async fn finish(self) -> Result<Finished, Failure> {
        let session = self.shared.session.lock().await.take();
        let failure = self.shared.failure().take();
        match (session, failure) {
            (Some(session), None) => Ok(Finished { session, owner: self.owner, sealer: self.sealer }),
            (_, Some(failure)) => Err(failure),
            (None, None) => Err(Failure::Lost(Error::new(Code::Database, "the transaction has no session"))),
        }
    }
}

/// A transaction whose body succeeded.
pub struct Finished {
    session: Session,
    owner: Owner,
    sealer: Sealer,
}

impl Finished {
    /// Roll everything back. The session may be reused.
    pub fn roll_back(self) {
        match self.session {
            // The writer rolls back when the sender of commands is gone.
            Session::Sqlite(session) => drop(session),
            #[cfg(feature = "postgres")]
            Session::Postgres(session) => session.roll_back(),
        }
    }

    /// Write the checkpoint and commit.
    ///
    /// # Errors
    /// See [`Failure`]; only after [`Failure::Unknown`] may the transaction have been committed nevertheless.
    pub async fn commit(self, mut checkpoint: Checkpoint) -> Result<(), Failure> {
        if let Err(error) = self.sealer.seal_checkpoint(&mut checkpoint) {
            self.roll_back();
            return Err(Failure::Unencoded(error));
        }
        crate::crash::point("transaction.ended");
        match self.session {
            Session::Sqlite(session) => session.commit(self.owner.run, checkpoint).await,
            #[cfg(feature = "postgres")]
            Session::Postgres(session) => session.commit(&self.owner, &checkpoint).await,
        }?;
        crate::crash::point("transaction.committed");
        Ok(())
    }
}
