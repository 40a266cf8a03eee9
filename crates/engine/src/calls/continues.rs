//! `ctx.continue_with`: ends this generation of the run and begins the next one.
//!
//! Nothing records the call. The run leaves with one change that replaces its input and deletes what it has recorded, so a crash
//! leaves either the old generation, which gets here again, or the new one. `docs/decisions/0030-generations.md` says what stays.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use onward_types::{Code, Error, Json, StepKind};
use serde::Serialize;

use super::{Drive, Lent};
use crate::data::Data;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;

/// The end of a generation of the run. Made by [`Ctx::continue_with`]. It never resolves to a value, so it stands for one of any
/// type.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct ContinueWith<'a, T> {
    drive: Drive,
    input: Result<Json, Error>,
    output: Lent<'a, T>,
}

impl<T> ContinueWith<'_, T> {
    pub(crate) fn new(ctx: &Ctx, input: &(impl Serialize + ?Sized)) -> Self {
        let drive = Drive::new(ctx, StepKind::Continue, "continue");
        ContinueWith { drive, input: crate::data::encode("input", input), output: Lent::default() }
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ContinueWith { drive, input, .. } = self;
        drive.poll(cx, |drive, _| match input {
            Err(error) => Poll::Ready(Err(error.clone())),
            Ok(input) if drive.core.is_detached() => {
                let message = format!("a detached context has no next generation; it would begin with {input}");
                Poll::Ready(Err(Error::new(Code::Invalid, message)))
            }
            Ok(input) => {
                drive.core.with_state(|state| state.ask_continue(drive.position, input));
                Poll::Pending
            }
        })
    }
}

impl<T> Unpin for ContinueWith<'_, T> {}

impl<T: Data> Future for ContinueWith<'_, T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.poll_call(cx));
        super::unread::resolve(Some(&mut self.drive), outcome)
    }
}
