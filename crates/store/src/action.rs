//! The actions on a run, as plain data. `ops/action.rs` carries them out.

use std::time::Duration;

use onward_types::{Attribution, Error, Json, RunId, RunOptions};

/// An action on a run.
#[derive(Clone, Debug)]
pub enum Action {
    /// Cancel it and its descendants.
    Cancel(Attribution),
    /// Pause it until it is resumed.
    Pause {
        /// Who pauses it, and why.
        who: Attribution,
        /// Whether its descendants are paused as well.
        children: bool,
    },
    /// Resume it after it was paused, held, cancelled or given up.
    Resume {
        /// Who resumes it, and why.
        who: Attribution,
        /// Whether all paused descendants are resumed as well, those that were paused by themselves included.
        children: bool,
    },
    /// Start it at once, bypassing its queue and its delay.
    StartNow(Attribution),
    /// End its sleeps.
    WakeUp {
        /// Who ends them, and why.
        who: Attribution,
        /// Those at these positions, or all with `None`.
        positions: Option<Vec<u32>>,
    },
    /// Delay its start, if it has not started yet.
    SetDelay {
        /// Who delays it, and why.
        who: Attribution,
        /// By this long from now.
        delay: Duration,
    },
    /// Replace its attributes, except for those of Onward's namespace.
    SetAttributes(Json),
    /// Merge these attributes into its own; a null removes one.
    MergeAttributes(Json),
    /// The same for attributes of Onward's namespace.
    MergeSystemAttributes(Json),
    /// Delete it, with or without its descendants.
    Delete {
        /// Whether its descendants are deleted as well.
        children: bool,
    },
    /// Create a copy of it that diverges from a position on.
    Fork(Box<Fork>),
}

impl Action {
    /// Who acts, and why, if the action records it.
    #[must_use]
    pub fn who(&self) -> Option<&Attribution> {
        match self {
            Action::Cancel(who)
            | Action::Pause { who, .. }
            | Action::Resume { who, .. }
            | Action::StartNow(who)
            | Action::WakeUp { who, .. }
            | Action::SetDelay { who, .. } => Some(who),
            Action::SetAttributes(_)
            | Action::MergeAttributes(_)
            | Action::MergeSystemAttributes(_)
            | Action::Delete { .. }
            | Action::Fork(_) => None,
        }
    }

    /// Who acts, and why, to be changed before the action.
    pub fn who_mut(&mut self) -> Option<&mut Attribution> {
        match self {
            Action::Cancel(who)
            | Action::Pause { who, .. }
            | Action::Resume { who, .. }
            | Action::StartNow(who)
            | Action::WakeUp { who, .. }
            | Action::SetDelay { who, .. } => Some(who),
            Action::SetAttributes(_)
            | Action::MergeAttributes(_)
            | Action::MergeSystemAttributes(_)
            | Action::Delete { .. }
            | Action::Fork(_) => None,
        }
    }

    /// Let the action reach the descendants of the run as well, if it can.
    pub fn reach_children(&mut self) {
        if let Action::Pause { children, .. } | Action::Resume { children, .. } | Action::Delete { children } = self {
            *children = true;
        }
    }

    /// Accepts the action if what it records can be stored.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.who().map_or(Ok(()), Attribution::check)
    }
}

/// How to fork a run. A value that is not given is taken from the forked run.
#[derive(Clone, Debug, Default)]
pub struct Fork {
    /// The position from which the new run diverges. With 0 it starts from scratch.
    pub position: u32,
    /// The id of the new run; a new UUIDv7 if there is none.
    pub id: Option<RunId>,
    /// A different input, and the hash of its canonical form.
    pub input: Option<(Json, i64)>,
    /// Whether the executor that claims the new run decides its version; `options` and the forked run are ignored then.
    pub newest: bool,
    /// Options of the new run that override those of the forked run. A dedup key and a deadline are not inherited. Without a
    /// queue here, the new run waits in the forked run's queue, if there is one. The id is ignored in favour of `id`. If the
    /// dedup key is taken, the error's data name the run that holds it.
    pub options: RunOptions,
}
