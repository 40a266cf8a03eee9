//! Transactions of users: their SQL and the checkpoint of the step in one commit, beside the journal.
//!
//! Why it is safe to write a checkpoint here stands in `docs/decisions/0007-transactional-steps.md`. This file keeps the two
//! halves apart: [`SqlTx`] is what the user's body has, [`OpenTransaction`] is what the engine keeps, and only that can commit.

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

/// A possession of a run: who has it, and for the how-manieth time it is had.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The executor.
    pub executor: ExecutorId,
    /// The run.
    pub run: RunKey,
    /// How many executors have had it, this one included.
    pub owners: u32,
}

/// Why a transaction was not committed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The connection or the server was lost, and nothing was written. It may begin again.
    Lost(Error),
    /// Another transaction was in the way, and nothing was written. It may begin again.
    Conflict(Error),
    /// The database refused what the body asked for, and nothing was written.
    Failed(Error),
    /// What the body returned cannot be encoded, and nothing was written.
    Unencoded(Error),
    /// The run was taken from this executor, and nothing was written.
    Refused,
    /// The answer to the commit was lost: it stands or it does not.
    Unknown(Error),
}

impl Failure {
    /// What went wrong, in a sentence.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Failure::Lost(error)
            | Failure::Conflict(error)
            | Failure::Failed(error)
            | Failure::Unencoded(error)
            | Failure::Unknown(error) => error.clone(),
            Failure::Refused => Error::new(Code::Fenced, "the run was taken from this executor"),
        }
    }
}

/// The database under a transaction.
pub(crate) enum Session {
    Sqlite(sqlite::UserTransaction),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::UserTransaction>),
}

/// What a statement gave, and how many rows it changed.
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
    /// None once it has ended.
    session: tokio::sync::Mutex<Option<Session>>,
    /// What the first statement that failed came to.
    failure: Mutex<Option<Failure>>,
}

impl Shared {
    fn failure(&self) -> MutexGuard<'_, Option<Failure>> {
        lock(&self.failure)
    }
}

/// The transaction in the body of `ctx.transaction`: statements with parameters, rows by name. It is committed together with
/// what the body returns, and rolled back if the body returns an error.
///
/// A statement is in the words of the database, with `$1`, `$2` … for its parameters on both. One that fails ends the
/// transaction: whatever the body returns then, all is rolled back. On PostgreSQL a parameter is sent as text and read by the
/// server as what the place asks for, so a text serves for `jsonb`, `uuid`, `numeric`, `timestamptz` or an enum.
pub struct SqlTx(Arc<Shared>);

impl SqlTx {
    /// Execute a statement. Gives the number of rows that it changed.
    ///
    /// # Errors
    /// [`Code::Database`] with the database's own words, [`Code::Busy`] where another transaction was in the way (then the
    /// body is run again), [`Code::TimedOut`] where SQLite's limit was passed, and [`Code::Invalid`] for a statement that
    /// would end the transaction, or with the wrong number of parameters.
    pub async fn execute(&self, sql: &str, params: impl SqlParams) -> Result<u64, Error> {
        self.run(sql, params.into_values()).await.map(|(_, changed)| changed)
    }

    /// The rows that a statement gives.
    ///
    /// # Errors
    /// Those of [`execute`](SqlTx::execute).
    pub async fn query(&self, sql: &str, params: impl SqlParams) -> Result<Vec<SqlRow>, Error> {
        self.run(sql, params.into_values()).await.map(|(rows, _)| rows)
    }

    /// The first row that a statement gives, or none.
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
            return Err(Error::new(Code::Invalid, "the transaction has ended: use it in its own body only"));
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

/// A statement under way. What became of one that was dropped in the middle nobody knows.
struct Midway<'a>(Option<&'a Shared>);

impl Drop for Midway<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            let message = "a statement of the transaction was dropped before it had ended: await each of them";
            shared.failure().get_or_insert(Failure::Failed(Error::new(Code::Invalid, message)));
        }
    }
}

/// A transaction under way, as the engine has it. Dropped, it is rolled back.
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

    /// What the body gets.
    #[must_use]
    pub fn handle(&self) -> SqlTx {
        SqlTx(self.shared.clone())
    }

    /// Resolves when the database has taken the transaction back, because it took too long.
    pub async fn expired(&mut self) -> Failure {
        self.expired.wait().await
    }

    /// The body has ended: take no more statements. The session goes on with whoever commits.
    ///
    /// # Errors
    /// What the first statement that failed came to; all is rolled back then.
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

/// A transaction whose body has ended well.
pub struct Finished {
    session: Session,
    owner: Owner,
    sealer: Sealer,
}

impl Finished {
    /// Undo all of it. The session may serve the next one.
    pub fn roll_back(self) {
        match self.session {
            // The writer rolls back when nobody is left who could send it a command.
            Session::Sqlite(session) => drop(session),
            #[cfg(feature = "postgres")]
            Session::Postgres(session) => session.roll_back(),
        }
    }

    /// Write the checkpoint and commit.
    ///
    /// # Errors
    /// See [`Failure`]; only after [`Failure::Unknown`] may it stand nevertheless.
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
