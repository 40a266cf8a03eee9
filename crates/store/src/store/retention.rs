//! Retention: deleting what has ended and is too old, or too much.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::SignedDuration;
use onward_types::{Error, Retention, RunKey, Timestamp};

use super::Store;
use crate::fault::{Cure, Fault};
use crate::ops::retain::{self, BEGIN, Place};

impl Store {
    /// Delete the runs that a rule does not keep, and say how many there were.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for a rule that keeps everything, or where the database cannot be
    /// reached; what was deleted before stays deleted.
    pub async fn retain(&self, rule: &Retention) -> Result<u64, Error> {
        rule.check()?;
        let workflows = match &rule.workflow {
            Some(workflow) => vec![workflow.clone()],
            None => self.read(|tx| Box::pin(retain::workflows(tx))).await?,
        };
        let (mut deleted, mut failed) = (0, None);
        for workflow in workflows {
            let workflow = Arc::<str>::from(workflow);
            if let Some(upto) = self.expiry(rule, &workflow).await? {
                deleted += self.expire(&workflow, upto, &mut failed).await?;
            }
        }
        failed.map_or(Ok(deleted), |fault| Err(fault.into()))
    }

    /// The last run of a workflow, in the order in which they ended, that the rule does not keep.
    async fn expiry(&self, rule: &Retention, workflow: &Arc<str>) -> Result<Option<Place>, Error> {
        let now = self.clock().now();
        let age = rule.max_age.map(|age| SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX));
        let old = age.and_then(|age| now.checked_sub(age).ok()).map(|by| (by, RunKey(uuid::Uuid::max())));
        let many = match rule.max_count {
            None => None,
            Some(count) => {
                let workflow = workflow.clone();
                let boundary = self.read(move |tx| {
                    let workflow = workflow.clone();
                    Box::pin(async move { retain::boundary(tx, &workflow, count).await })
                });
                boundary.await?
            }
        };
        Ok(old.max(many))
    }

    async fn expire(&self, workflow: &Arc<str>, upto: Place, failed: &mut Option<Fault>) -> Result<u64, Error> {
        let (mut after, mut deleted) = (BEGIN, 0);
        loop {
            let workflow = workflow.clone();
            let page = self
                .read(move |tx| {
                    let workflow = workflow.clone();
                    Box::pin(async move { retain::expired(tx, &workflow, after, upto).await })
                })
                .await?;
            let Some(last) = page.last() else { return Ok(deleted) };
            after = *last;
            let is_full = page.len() == retain::CHUNK as usize;
            let keys: Arc<Vec<RunKey>> = Arc::new(page.into_iter().map(|(_, key)| key).collect());
            let chunks = self.read(move |tx| {
                let keys = keys.clone();
                Box::pin(async move { retain::chunks(tx, &keys).await })
            });
            deleted += self.expire_all(chunks.await?, upto.0, failed).await?;
            if !is_full {
                return Ok(deleted);
            }
        }
    }

    /// Delete these runs, chunk by chunk. One that takes too long is made smaller; what a run that cannot be deleted alone failed
    /// by is left for later, for it keeps no other from being deleted.
    async fn expire_all(
        &self,
        chunks: Vec<Vec<RunKey>>,
        by: Timestamp,
        failed: &mut Option<Fault>,
    ) -> Result<u64, Fault> {
        let (mut chunks, mut deleted) = (VecDeque::from(chunks), 0);
        while let Some(chunk) = chunks.pop_front() {
            let keys = Arc::new(chunk);
            let tried = self.try_write({
                let keys = keys.clone();
                move |tx| {
                    let keys = keys.clone();
                    Box::pin(async move { retain::expire(tx, &keys, by).await })
                }
            });
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
