//! The facts about a run that never change while it is in memory.

use std::sync::Arc;

use onward_store::{History, NewRun, SUSPECT_AFTER};
use onward_types::{Identity, Retry, RunId, RunKey, Timestamp};

use crate::story::Named;

/// The facts of one run.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) version: String,
    /// How many executors have owned the run, including this one.
    pub(crate) owners: u32,
    /// When it was started for the first time.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) parent: Option<RunKey>,
    /// The user and roles that it works for, and its trace.
    pub(crate) identity: Option<Box<Identity>>,
    /// Whether it may have killed its last executors: it was recovered several times without progress.
    pub(crate) suspect: bool,
    pub(crate) recovered: bool,
    /// The queue with limits in which it holds a slot.
    pub(crate) slot: Option<Arc<str>>,
    /// How often it is attempted, if its starter said so.
    pub(crate) retry: Option<Box<Retry>>,
    /// The attempt that is executed, from 1.
    pub(crate) attempt: u32,
    /// The position of the first call of its current generation.
    pub(crate) first_position: u32,
}

impl About {
    /// A run of which only the key is known.
    pub(crate) fn bare(key: RunKey) -> About {
        About {
            key,
            id: RunId::of_key(key),
            workflow: String::new(),
            version: String::new(),
            owners: 1,
            started_at: None,
            deadline: None,
            parent: None,
            identity: None,
            suspect: false,
            recovered: false,
            slot: None,
            retry: None,
            attempt: 1,
            first_position: 0,
        }
    }

    /// A run that this executor is creating.
    pub(crate) fn of_new(run: &NewRun) -> About {
        About {
            id: run.id.clone(),
            workflow: run.workflow.clone(),
            version: run.version.clone(),
            started_at: Some(run.created_at),
            deadline: run.deadline_at_start(),
            parent: run.parent.map(|(key, _)| key),
            identity: run.identity.clone().map(Box::new),
            retry: run.retry.clone().map(Box::new),
            ..About::bare(run.key)
        }
    }

    /// A claimed run. Takes the facts out of its history.
    pub(crate) fn take_from(history: &mut History) -> About {
        About {
            key: history.key,
            id: history.id.clone(),
            workflow: std::mem::take(&mut history.workflow),
            version: std::mem::take(&mut history.version),
            owners: history.owners,
            started_at: history.started_at,
            deadline: history.deadline,
            parent: history.parent,
            identity: history.identity.take().map(Box::new),
            suspect: history.recoveries >= SUSPECT_AFTER,
            recovered: history.recovered,
            slot: history.slot.take(),
            retry: history.retry.take().map(Box::new),
            attempt: history.attempt,
            first_position: history.first_position,
        }
    }

    /// The run, as the log names it.
    pub(crate) fn named(&self) -> Named<'_> {
        Named { run: &self.id, workflow: &self.workflow }
    }

    /// The trace of the run, as a W3C `traceparent`.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.identity.as_ref()?.traceparent.as_deref()
    }
}
