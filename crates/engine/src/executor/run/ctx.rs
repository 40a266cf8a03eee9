//! The context of a run. Its methods are in `context.rs`.

use std::sync::Arc;

use onward_store::Clock;
use onward_types::{Json, RunKey};

use super::about::About;
use super::core::{Home, RunCore};
use super::state::State;
use crate::states::States;

/// The context of a run: it makes durable calls and gives access to the properties of the run.
///
/// A workflow borrows it as `ctx: &Ctx`. Everything done through it is recorded and replayed. Everything else must be the same
/// on every replay, so use clocks, randomness and I/O only in steps and in the methods below.
pub struct Ctx {
    pub(crate) core: Arc<RunCore>,
    /// The labels of the enclosing branches, as a prefix for the names of calls.
    scope: Option<Arc<str>>,
}

impl Ctx {
    pub(crate) fn of(core: Arc<RunCore>) -> Ctx {
        Ctx { core, scope: None }
    }

    pub(crate) fn detached_like(core: &RunCore) -> Ctx {
        match &core.home {
            Home::Detached { clock, states } => Ctx::detached_with(states.clone(), clock.clone()),
            Home::Executor { .. } | Home::Rehearsal { .. } => Ctx::detached(),
        }
    }

    pub(crate) fn detached_with(states: Arc<States>, clock: Clock) -> Ctx {
        let key = RunKey(clock.uuid());
        let about = About { workflow: "detached".to_owned(), version: "1".to_owned(), ..About::bare(key) };
        Ctx::of(RunCore::new(about, Json::null(), State::fresh(), Home::Detached { clock, states }, None))
    }

    /// A name as it is recorded: with the labels of the enclosing branches in front.
    pub(crate) fn scoped(&self, name: &str) -> Arc<str> {
        match &self.scope {
            Some(scope) => format!("{scope}/{name}").into(),
            None => name.into(),
        }
    }

    /// The context of a branch: the names of its calls begin with its label.
    pub(crate) fn within(&self, label: &str) -> Ctx {
        Ctx { core: self.core.clone(), scope: Some(self.scoped(label)) }
    }
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx").field("run", &self.core.about.id).finish_non_exhaustive()
    }
}
