//! The actions on a run, as plain data. `ops/action.rs` carries them out.

use std::time::Duration;

use onward_types::{Json, RunId, RunOptions};

/// An action on a run.
#[derive(Clone, Debug)]
pub enum Action {
    /// Cancel it and its descendants, for this reason.
    Cancel(String),
    /// Pause it until it is resumed.
    Pause,
    /// Resume it after it was paused, held, cancelled or given up.
    Resume,
    /// Start it at once, bypassing its queue and its delay.
    StartNow,
    /// End its sleeps: those at these positions, or all with `None`.
    WakeUp(Option<Vec<u32>>),
    /// Delay its start by this long from now, if it has not started yet.
    SetDelay(Duration),
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
