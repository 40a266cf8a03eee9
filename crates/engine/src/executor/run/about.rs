//! What is known of a run when it comes into memory, and never changes there.

use std::sync::Arc;

use onward_store::{History, NewRun, SUSPECT_AFTER};
use onward_types::{Identity, RunId, RunKey, Timestamp};

/// The facts of one run.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) version: String,
    /// How many executors have had the run, this one included.
    pub(crate) owners: u32,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) parent: Option<RunKey>,
    /// On whose behalf it works, and the trace that it is a part of.
    pub(crate) identity: Option<Box<Identity>>,
    /// Whether it was recovered from a dead executor without having made progress since.
    pub(crate) suspect: bool,
    pub(crate) recovered: bool,
    /// The queue with limits of which it has a slot.
    pub(crate) slot: Option<Arc<str>>,
}

impl About {
    /// A run of which nothing but the key is known.
    pub(crate) fn bare(key: RunKey) -> About {
        About {
            key,
            id: RunId::of_key(key),
            workflow: String::new(),
            version: String::new(),
            owners: 1,
            deadline: None,
            parent: None,
            identity: None,
            suspect: false,
            recovered: false,
            slot: None,
        }
    }

    /// A run that is being created here.
    pub(crate) fn of_new(run: &NewRun) -> About {
        About {
            id: run.id.clone(),
            workflow: run.workflow.clone(),
            version: run.version.clone(),
            deadline: run.deadline_at_start(),
            parent: run.parent.map(|(key, _)| key),
            identity: run.identity.clone().map(Box::new),
            ..About::bare(run.key)
        }
    }

    /// A run that was claimed. Takes the facts out of its history.
    pub(crate) fn take_from(history: &mut History) -> About {
        About {
            key: history.key,
            id: history.id.clone(),
            workflow: std::mem::take(&mut history.workflow),
            version: std::mem::take(&mut history.version),
            owners: history.owners,
            deadline: history.deadline,
            parent: history.parent,
            identity: history.identity.take().map(Box::new),
            suspect: history.recoveries >= SUSPECT_AFTER,
            recovered: history.recovered,
            slot: history.slot.take(),
        }
    }

    /// The trace that the run is a part of, as a W3C `traceparent`.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.identity.as_ref()?.traceparent.as_deref()
    }
}
