//! `ctx.pause`: the run pauses itself, and passes the call once it is resumed.
//!
//! The run leaves with a wait row, in one commit, and the resume marks that row. A replay that finds it marked passes the call,
//! and records that. So a crash at any moment neither skips the pause nor repeats it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use onward_store::WaitKind;
use onward_types::{BoxError, Code, Error, Json, StepKind};

use super::{Drive, Lent};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::{Outcome, Pausing};

/// A pause of the run by itself. Made by [`Ctx::pause`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Pause<'a> {
    drive: Drive,
    said: Error,
    error: Option<Error>,
    lent: Lent<'a, ()>,
}

impl Pause<'_> {
    pub(crate) fn new(ctx: &Ctx, reason: &str) -> Self {
        let drive = Drive::new(ctx, StepKind::Pause, "pause");
        // As a message of an error it is a text that every database accepts.
        Pause { drive, said: Error::new(Code::Held, reason), error: None, lent: Lent::default() }
    }

    /// The error that caused the pause. While the run is paused, it is the error of its record, and
    /// [`result`](crate::WorkflowHandle::result) returns it. Without one, `result` returns the reason as a `held` error.
    pub fn error(mut self, error: impl Into<BoxError>) -> Self {
        self.error = Some(Error::from_box(error.into()));
        self
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Pause { drive, said, error, .. } = self;
        drive.poll(cx, |drive, _| {
            let core = &drive.core;
            if core.is_detached() {
                return Poll::Ready(Ok(Json::null()));
            }
            let since = core.clock().now();
            core.with_state(|state| match state.take_wait(drive.position) {
                Some(WaitKind::Resume { resumed_at: Some(_) }) => Poll::Ready(Ok(Json::null())),
                _ => {
                    state.ask_pause(|| Pausing {
                        position: drive.position,
                        name: drive.name.clone(),
                        said: said.message().to_owned(),
                        error: error.clone().unwrap_or_else(|| said.clone()),
                        since,
                    });
                    Poll::Pending
                }
            })
        })
    }
}

impl Unpin for Pause<'_> {}

impl Future for Pause<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.poll_call(cx));
        super::unread::resolve(Some(&mut self.drive), outcome)
    }
}

impl super::select::DurableCall for Pause<'_> {
    type Output = ();
}
