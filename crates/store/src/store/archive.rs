//! Exporting runs to files and importing them.

use onward_types::{Error, RunId, RunKey};

use super::Store;
use crate::ops::archive::{self, Archive, Family};
use crate::ops::{events, runs, steer};

impl Store {
    /// Export a run and, depending on `family`, the runs it started, as the text of an archive file. All are read in one
    /// snapshot: what they recorded, published and received.
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

    /// Create the runs of an archive under new keys, in one transaction, and return their ids. `first` replaces the id of the
    /// first run.
    ///
    /// # Errors
    /// [`Code::Conflict`](onward_types::Code::Conflict) if one of the ids is taken.
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

    /// The run that was imported from a run with the key `old`, if there is one.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn arrived_as(&self, old: RunKey) -> Result<Option<RunKey>, Error> {
        self.read("archive.arrived_as", old, |tx, old| Box::pin(archive::arrived_as(tx, *old))).await
    }
}
