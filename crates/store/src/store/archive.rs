//! Runs as files.

use std::sync::Arc;

use onward_types::{Error, RunId, RunKey};

use super::Store;
use crate::clock::Clock;
use crate::ops::archive::{self, Archive};
use crate::ops::{events, runs, steer};

impl Store {
    /// A run as a file: what it recorded, said and heard, as of one moment.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn export(&self, id: &RunId) -> Result<String, Error> {
        let of = id.clone();
        let file = self.read(move |tx| {
            let of = of.clone();
            Box::pin(async move {
                match runs::find(tx, &of).await? {
                    Some(run) => archive::export(tx, run.key).await,
                    None => Ok(None),
                }
            })
        });
        file.await?.ok_or_else(|| steer::unknown(id).error)
    }

    /// Create the run that a file has, under a new key.
    ///
    /// # Errors
    /// [`Code::Conflict`](onward_types::Code::Conflict) if there is a run of that id.
    pub async fn import(&self, archive: Archive, id: RunId) -> Result<(), Error> {
        // Lists go by the key, so it says when the run was made, and not when it came here.
        let key = RunKey(Clock::uuid_of(archive.created_at().min(self.clock().now())));
        let (archive, now) = (Arc::new(archive), self.clock().now());
        self.write(move |tx| {
            let (archive, id) = (archive.clone(), id.clone());
            Box::pin(async move {
                archive::import(tx, &archive, &id, key).await?;
                events::wake_watchers(tx, key, now).await
            })
        })
        .await
    }
}
