//! Runs as files.

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
        let given = (id.clone(), family);
        let file = self.read("archive.export", given, |tx, (id, family)| {
            Box::pin(async move {
                match runs::find(tx, id).await? {
                    Some(run) => archive::export(tx, run.key, *family).await,
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
        let given = (archive, ids.clone(), keys);
        self.write("archive.import", given, move |tx, (archive, ids, keys)| {
            Box::pin(async move {
                archive::import(tx, archive, ids, keys, now).await?;
                for key in keys {
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
        self.read("archive.arrived_as", old, |tx, old| Box::pin(archive::arrived_as(tx, *old))).await
    }
}
