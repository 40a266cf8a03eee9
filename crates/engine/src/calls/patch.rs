//! `ctx.patched`: whether new code applies to this run, or the run is older than the code.
//!
//! A patch takes no position, so the call can be added and removed without moving other calls. The answer is made once per run
//! and name, and is recorded if it is `true`.

use std::sync::Arc;
use std::task::Poll;

use onward_types::{Code, Error, Json};

use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;

pub(crate) struct Patch {
    core: Arc<RunCore>,
    name: Arc<str>,
}

impl Patch {
    pub(crate) fn new(ctx: &Ctx, name: &str) -> Patch {
        Patch { core: ctx.core.clone(), name: name.into() }
    }

    pub(crate) fn poll(&mut self) -> Poll<Outcome> {
        if let Err(error) = onward_types::check_name("name of a patch", &self.name) {
            return Poll::Ready(Err(error));
        }
        if let Some(step) = crate::scope::step() {
            let message = format!(
                "patch `{}` was checked inside the step `{}`: check it in the workflow, outside of steps",
                self.name, step.name
            );
            return Poll::Ready(Err(Error::new(Code::Nested, message)));
        }
        if self.core.with_state(|state| state.halted().is_some()) {
            return Poll::Pending;
        }
        let now = self.core.clock().now();
        let applies = self.core.is_detached() || self.core.with_state(|state| state.patched(&self.name, now));
        Poll::Ready(Ok(Json::from(applies.to_string())))
    }
}
