//! `ctx.now`, `ctx.random` and `ctx.uuid`: values that would differ on every replay, recorded once.

use std::task::{Context, Poll};

use onward_types::{Json, StepKind};

use super::Drive;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Made, Outcome};

pub(crate) struct Chance(pub(super) Drive);

impl Chance {
    pub(crate) fn new(ctx: &Ctx, kind: StepKind) -> Chance {
        Chance(Drive::new(ctx, kind, kind.as_str()))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.0.poll_immediate(cx, 0, |drive| {
            let clock = drive.core.clock();
            let text = match drive.kind {
                StepKind::Now => serde_json::to_string(&drive.core.time()),
                StepKind::Random => serde_json::to_string(&crate::random::number()),
                _ => serde_json::to_string(&clock.uuid()),
            };
            Made::Outcome(Ok(Json::from(text.expect("a time, a number and a UUID are JSON"))))
        })
    }
}
