//! Claims: taking waiting runs, and loading what they recorded.

use std::sync::Arc;

use onward_types::{Error, RunKey};

use super::Store;
use crate::fault::Fault;
use crate::ops::claim::{self, Claim, Waiting};
use crate::ops::known::Known;
use crate::records::History;

impl Store {
    /// Claim waiting runs.
    ///
    /// # Errors
    /// If the database cannot be reached. If only the answer was lost, runs may have been claimed nevertheless:
    /// [`owned`](Store::owned) lists them.
    pub async fn claim(&self, wanted: Claim) -> Result<Vec<RunKey>, Error> {
        let given = (wanted, self.clock.now());
        let claim = self.try_write("runs.claim", given, |tx, (wanted, now)| Box::pin(claim::claim(tx, wanted, *now)));
        let keys = claim.await?;
        if !keys.is_empty() {
            crate::crash::point("run.claimed");
        }
        Ok(keys)
    }

    /// Which runs of these workflows wait to be claimed, and when the next one becomes ready.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn waiting(&self, workflows: Arc<Known>) -> Result<Waiting, Error> {
        let given = (workflows, self.clock.now());
        self.read("runs.waiting", given, |tx, (known, now)| Box::pin(claim::waiting(tx, known, *now))).await
    }

    /// Like [`load`](Store::load), for as many of the first runs as have histories of at most `bytes` bytes in total, but for
    /// at least one. Returns the remaining keys as well.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn load_within(
        &self,
        mut keys: Vec<RunKey>,
        bytes: usize,
    ) -> Result<(Vec<(RunKey, Result<History, Error>)>, Vec<RunKey>), Error> {
        let left = match keys.len() {
            0 | 1 => Vec::new(),
            _ => {
                let given = (keys.clone(), bytes);
                let fit = self.read("runs.how_many_fit", given, |tx, (keys, bytes)| {
                    Box::pin(claim::how_many_fit(tx, keys, *bytes))
                });
                keys.split_off(fit.await?)
            }
        };
        Ok((self.load(keys).await?, left))
    }

    /// Load the histories of these runs. A run that cannot be decoded gets an error of its own.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn load(&self, keys: Vec<RunKey>) -> Result<Vec<(RunKey, Result<History, Error>)>, Error> {
        let loaded = self.read("runs.load", keys, |tx, keys| Box::pin(claim::load(tx, keys))).await?;
        let open = |history: Result<History, Fault>| self.sealer.open_history(history?);
        Ok(loaded.into_iter().map(|(key, history)| (key, open(history))).collect())
    }
}
