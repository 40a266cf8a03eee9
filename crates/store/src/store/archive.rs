//! Runs as files.

use std::sync::Arc;

use onward_types::{Error, RunId, RunKey};

use super::Store;
use crate::ops::archive::{self, Archive, Family};
use crate::ops::{events, runs, steer};

impl Store {
    /// A run as a file, with those that it started: what they recorded, said and heard, as of one moment.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn export(&self, id: &RunId, family: Family) -> Result<String, Error> {
        let of = id.clone();
        let file = self.read(move |tx| {
            let of = of.clone();
            Box::pin(async move {
                match runs::find(tx, &of).await? {
                    Some(run) => archive::export(tx, run.key, family).await,
                    None => Ok(None),
                }
            })
        });
        file.await?.ok_or_else(|| steer::unknown(id).error)
    }

    /// Create the runs that a file has, under new keys, all in one transaction; gives their ids. The first one may be given another.
    ///
    /// # Errors
    /// [`Code::Conflict`](onward_types::Code::Conflict) if there is a run of one of the ids.
    pub async fn import(&self, archive: Archive, first: Option<RunId>) -> Result<Vec<RunId>, Error> {
        let now = self.clock().now();
        let ids = archive.ids(first.as_ref());
        let keys: Vec<RunKey> = archive.runs.iter().map(|run| run.fresh_key(now)).collect();
        let all = Arc::new((archive, ids.clone(), keys));
        self.write(move |tx| {
            let all = all.clone();
            Box::pin(async move {
                archive::import(tx, &all.0, &all.1, &all.2, now).await?;
                for key in &all.2 {
                    events::wake_watchers(tx, *key, now).await?;
                }
                Ok(())
            })
        })
        .await?;
        Ok(ids)
    }

    /// The run that had this key where it was exported, if it came here.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn arrived_as(&self, old: RunKey) -> Result<Option<RunKey>, Error> {
        self.read(move |tx| Box::pin(archive::arrived_as(tx, old))).await
    }
}
