//! User transactions: the user's own SQL, committed together with the checkpoint of the step.

use onward_types::{Error, RunKey};

use super::Store;
use super::db::Db;
use crate::driver::transaction::{OpenTransaction, Owner, Session};
use crate::ops::transactions;

impl Store {
    /// Begin a user transaction. `None`: the run was revoked from its executor. `serializable` selects the strictest isolation
    /// level; SQLite always uses it.
    ///
    /// # Errors
    /// If the database cannot be reached; the caller may try again.
    pub async fn begin(&self, owner: &Owner, serializable: bool) -> Result<Option<OpenTransaction>, Error> {
        let session = match &self.db {
            Db::Sqlite(sqlite) => sqlite.begin(owner.clone()).await?.map(Session::Sqlite),
            #[cfg(feature = "postgres")]
            Db::Postgres(postgres) => {
                postgres.begin(owner, serializable).await?.map(|open| Session::Postgres(Box::new(open)))
            }
        };
        #[cfg(not(feature = "postgres"))]
        let _: bool = serializable;
        Ok(session.map(|session| OpenTransaction::new(session, owner.clone(), self.sealer.clone())))
    }

    /// The `seq` of the checkpoint at a position, if it exists. Used when the answer to a user transaction's commit was lost.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn recorded(&self, run: RunKey, position: u32) -> Result<Option<u64>, Error> {
        let given = (run, position);
        self.write("transactions.recorded", given, |tx, (run, at)| Box::pin(transactions::recorded(tx, *run, *at)))
            .await
    }
}
