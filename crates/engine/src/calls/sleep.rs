//! `ctx.sleep`: a timer that survives the process.
//!
//! The due time is written to a wait row by the first commit after the sleep began, and kept over replays. While the run is in
//! memory, a timer of this process wakes it; while it is parked, its row in `runs` says when it is ready. `wake_up` ends the
//! sleep early from outside.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{WaitKind, add};
use onward_types::{Json, StepKind, Timestamp};

use super::Drive;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Idle, Outcome};
use crate::future::BoxFuture;

/// When a sleep ends.
#[derive(Clone, Copy)]
enum Due {
    After(Duration),
    At(Timestamp),
}

pub(crate) struct Sleep {
    pub(super) drive: Drive,
    due: Due,
    timer: Option<BoxFuture<'static, ()>>,
}

impl Sleep {
    pub(crate) fn after(ctx: &Ctx, duration: Duration) -> Sleep {
        Sleep { drive: Drive::new(ctx, StepKind::Sleep, "sleep"), due: Due::After(duration), timer: None }
    }

    pub(crate) fn until(ctx: &Ctx, at: Timestamp) -> Sleep {
        Sleep { drive: Drive::new(ctx, StepKind::Sleep, "sleep"), due: Due::At(at), timer: None }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Sleep { drive, due, timer } = self;
        drive.poll(cx, |drive, cx| {
            if drive.core.is_detached() {
                return Poll::Ready(Ok(Json::null()));
            }
            let timer = timer.get_or_insert_with(|| begin(drive, *due));
            if drive.core.with_state(|state| state.is_woken(drive.position)) {
                return Poll::Ready(Ok(Json::null()));
            }
            timer.as_mut().poll(cx).map(|()| Ok(Json::null()))
        })
    }
}

fn begin(drive: &Drive, due: Due) -> BoxFuture<'static, ()> {
    let core = &drive.core;
    let now = core.clock().now();
    let recorded = core.with_state(|state| state.take_wait(drive.position));
    let at = match (recorded, due) {
        (Some(WaitKind::Timer(due_at)), _) => due_at,
        (_, Due::After(duration)) => open(core, drive, add(now, duration), now),
        (_, Due::At(at)) => open(core, drive, at, now),
    };
    core.with_state(|state| state.set_idle(drive.position, Idle::Until(Some(at))));
    let clock = core.clock().clone();
    Box::pin(async move { clock.sleep_until(at).await })
}

fn open(core: &Arc<RunCore>, drive: &Drive, at: Timestamp, now: Timestamp) -> Timestamp {
    core.with_state(|state| state.open_wait(drive.position, &drive.name, WaitKind::Timer(at), now));
    at
}
