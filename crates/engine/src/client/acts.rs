//! What the log says about acts of this client on runs.

use onward_store::Action;
use onward_types::{Attribution, BulkResult, RunId};

use crate::story::takes_act;

/// An act, as the log names it.
pub(super) struct Logged {
    action: &'static str,
    /// What was done, before and after the object of the sentence.
    done: (&'static str, &'static str),
    who: Attribution,
}

impl Logged {
    /// `None`: a change of data, which is not part of the story, or a log that takes no such lines.
    pub(super) fn of(action: &Action) -> Option<Logged> {
        if !tracing::enabled!(target: "onward::client", tracing::Level::INFO) {
            return None;
        }
        let (name, done) = match action {
            Action::Cancel(_) => ("cancel", ("cancelled", "")),
            Action::Pause { .. } => ("pause", ("paused", "")),
            Action::Resume { .. } => ("resume", ("resumed", "")),
            Action::StartNow(_) => ("start_now", ("started", " out of turn")),
            Action::WakeUp { .. } => ("wake_up", ("ended sleeps of", "")),
            Action::SetDelay { .. } => ("set_delay", ("changed the start time of", "")),
            Action::Delete { .. } => ("delete", ("deleted", "")),
            Action::SetAttributes(_)
            | Action::MergeAttributes(_)
            | Action::MergeSystemAttributes(_)
            | Action::Fork(_) => return None,
        };
        Some(Logged { action: name, done, who: action.who().cloned().unwrap_or_default() })
    }

    /// It was done on this run, and changed so many: itself, and those that changed with it.
    pub(super) fn log_one(&self, run: &RunId, runs: u64) {
        let Logged { action, done: (done, how), who: Attribution { by, reason, .. } } = self;
        let (by, reason) = (by.as_deref(), reason.as_deref());
        if takes_act() {
            tracing::info!(target: "onward::client", %run, action, runs, by, reason, "a client has {done} a run{how}");
        } else {
            tracing::debug!(target: "onward::client", %run, action, runs, by, reason, "a client has {done} a run{how}");
        }
    }

    /// It was done on all runs that matched a filter.
    pub(super) fn log_many(&self, result: &BulkResult) {
        let Logged { action, done: (done, how), who: Attribution { by, reason, .. } } = self;
        let BulkResult { matched, runs, refused, .. } = result;
        let (by, reason) = (by.as_deref(), reason.as_deref());
        tracing::info!(target: "onward::client", action, matched, runs, refused, by, reason, "a client has {done} runs{how}");
    }
}
