//! What can be done to a run, as plain data. `ops/action.rs` does it.

use std::time::Duration;

use onward_types::{Json, RunId, RunOptions};

/// What is to be done to a run.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one is made for a call, and goes by reference from there")]
pub enum Action {
    /// End it, and all that it started, and say why.
    Cancel(String),
    /// Hold it until it is resumed.
    Pause,
    /// Let it go on after it was paused, held, cancelled or given up.
    Resume,
    /// Let it begin at once, past its queue and its delay.
    StartNow,
    /// End its sleeps: those at these positions, or all.
    WakeUp(Option<Vec<u32>>),
    /// Let it start this long from now, if it starts later.
    SetDelay(Duration),
    /// Attach these facts instead of those that it has.
    SetAttributes(Json),
    /// Attach these facts beside those that it has; a null takes one away.
    MergeAttributes(Json),
    /// Delete it, with all that it started or alone.
    Delete {
        /// Whether all that it started goes with it.
        children: bool,
    },
    /// Create a run like it that goes its own way from a position on.
    Fork(Fork),
}

/// How a run is forked. What is not given is as the forked run has it.
#[derive(Clone, Debug, Default)]
pub struct Fork {
    /// From which position on the new run goes its own way. At 0 it starts from scratch.
    pub position: u32,
    /// The id of the new run; without one it is a UUIDv7.
    pub id: Option<RunId>,
    /// Another input, and the hash of its canonical form.
    pub input: Option<(Json, i64)>,
    /// Whether the executor that claims the new run decides its version, instead of `options` or the forked run.
    pub newest: bool,
    /// The options of the new run: those that are given. A dedup and a deadline are not inherited; without a queue it waits in that
    /// of the forked run, if there is one. The id is `id`, and whoever wants the holder of a dedup instead of an error finds it in
    /// the data of the error.
    pub options: RunOptions,
}
