//! Retention: deletes ended runs that are too old or too many.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::SignedDuration;
use onward_types::{Error, Retention, RunKey, Timestamp};

use super::Store;
use crate::fault::{Cure, Fault};
use crate::ops::retain::{self, BEGIN, Place};

impl Store {
    /// Delete the runs that a rule does not keep. Returns how many were deleted.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for a rule that keeps everything, or if the database cannot be reached;
    /// runs deleted before the error stay deleted.
    pub async fn retain(&self, rule: &Retention) -> Result<u64, Error> {
        rule.check()?;
        let workflows = match &rule.workflow {
            Some(workflow) => vec![workflow.clone()],
            None => self.read("retention.workflows", (), |tx, ()| Box::pin(retain::workflows(tx))).await?,
        };
        let (mut deleted, mut failed) = (0, None);
        for workflow in workflows {
            if let Some(upto) = self.expiry(rule, &workflow).await? {
                deleted += self.expire(&workflow, upto, &mut failed).await?;
            }
        }
        failed.map_or(Ok(deleted), |fault| Err(fault.into()))
    }

    /// The last run of a workflow, in the order of their ends, that the rule does not keep.
    async fn expiry(&self, rule: &Retention, workflow: &str) -> Result<Option<Place>, Error> {
        let now = self.clock().now();
        let age = rule.max_age.map(|age| SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX));
        let old = age.and_then(|age| now.checked_sub(age).ok()).map(|by| (by, RunKey(uuid::Uuid::max())));
        let many = match rule.max_count {
            None => None,
            Some(count) => {
                let given = (workflow.to_owned(), count);
                let boundary = self.read("retention.boundary", given, |tx, (workflow, count)| {
                    Box::pin(retain::boundary(tx, workflow, *count))
                });
                boundary.await?
            }
        };
        Ok(old.max(many))
    }

    async fn expire(&self, workflow: &str, upto: Place, failed: &mut Option<Fault>) -> Result<u64, Error> {
        let (mut after, mut deleted) = (BEGIN, 0);
        loop {
            let given = (workflow.to_owned(), after, upto);
            let page = self.read("retention.expired", given, |tx, (workflow, after, upto)| {
                Box::pin(retain::expired(tx, workflow, *after, *upto))
            });
            let page = page.await?;
            let Some(last) = page.last() else { return Ok(deleted) };
            after = *last;
            let is_full = page.len() == retain::CHUNK as usize;
            let keys: Vec<RunKey> = page.into_iter().map(|(_, key)| key).collect();
            let chunks = self.read("retention.chunks", keys, |tx, keys| Box::pin(retain::chunks(tx, keys)));
            deleted += self.expire_all(chunks.await?, upto.0, failed).await?;
            if !is_full {
                return Ok(deleted);
            }
        }
    }

    /// Delete these runs, chunk by chunk. A chunk that takes too long is split. If a single run cannot be deleted, its fault is
    /// kept in `failed` and the others are still deleted.
    async fn expire_all(
        &self,
        chunks: Vec<Vec<RunKey>>,
        by: Timestamp,
        failed: &mut Option<Fault>,
    ) -> Result<u64, Fault> {
        let (mut chunks, mut deleted) = (VecDeque::from(chunks), 0);
        while let Some(chunk) = chunks.pop_front() {
            let keys = Arc::new(chunk);
            let tried = self
                .try_write("retention.expire", keys.clone(), move |tx, keys| Box::pin(retain::expire(tx, keys, by)));
            match tried.await {
                Ok(count) => deleted += count,
                Err(fault) if fault.cure == Cure::TryAgain && keys.len() > 1 => {
                    let (first, second) = keys.split_at(keys.len() / 2);
                    chunks.push_front(second.to_vec());
                    chunks.push_front(first.to_vec());
                }
                Err(fault) if fault.cure == Cure::TryAgain => *failed = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        Ok(deleted)
    }
}
