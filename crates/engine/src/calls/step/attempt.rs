//! One attempt of a step: its body, with the time limit and the row that shows it to people.

use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::activity::Busy;
use onward_store::{AttemptChange, Clock};
use onward_types::{Code, Error, Json, Result, Timestamp, guarded};
use tracing::Span;

use super::Policy;
use crate::calls::Drive;
use crate::future::BoxFuture;
use crate::scope::{self, InStep};

/// An attempt that is still running after this long gets a row, so that people see it.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(100);
pub(super) struct Running<'a> {
    /// `None` once it was dropped because of its timeout.
    pub(super) body: Option<BoxFuture<'a, Result<Json>>>,
    pub(super) scope: InStep,
    /// Entered on every poll of the body.
    pub(super) span: Span,
    pub(super) started_at: Timestamp,
    pub(super) timeout: Option<BoxFuture<'static, ()>>,
    pub(super) announce: Option<BoxFuture<'static, ()>>,
    pub(super) announced: bool,
    /// Keeps a test from skipping time while the body runs.
    pub(super) _busy: Option<Busy>,
}

impl Running<'_> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, drive: &Drive, policy: &Policy<'_>) -> Poll<Result<Json>> {
        let Some(body) = self.body.as_mut() else { return Poll::Pending };
        let Running { scope, span, .. } = self;
        let polled = guarded(|| span.in_scope(|| scope::in_step(scope, || body.as_mut().poll(cx))));
        let done = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(result)) => Some(result),
            Err(said) => Some(Err(panicked(&said).into())),
        };
        if let Some(result) = done {
            self.drop_body(drive);
            return Poll::Ready(result);
        }
        if drive.core.is_detached() {
            return Poll::Pending;
        }
        if let Some(limit) = policy.timeout {
            let clock = drive.core.clock();
            let timeout = self.timeout.get_or_insert_with(|| timer(clock, limit));
            // A transaction that is committing cannot be abandoned any more: it may already be committed.
            let commits = drive.core.with_state(|state| state.is_committing(drive.position));
            if !commits && timeout.as_mut().poll(cx).is_ready() {
                self.drop_body(drive);
                let message = format!("step `{}` timed out after {limit:?}", drive.name);
                return Poll::Ready(Err(Error::new(Code::TimedOut, message).into()));
            }
        }
        self.announce(cx, drive);
        Poll::Pending
    }

    /// Records that the attempt is still running, once it has run for a while or has appended to a stream.
    fn announce(&mut self, cx: &mut Context<'_>, drive: &Drive) {
        if self.announced {
            return;
        }
        let clock = drive.core.clock();
        let announce = self.announce.get_or_insert_with(|| timer(clock, ANNOUNCE_AFTER));
        if announce.as_mut().poll(cx).is_ready() || self.scope.told.has_streams() {
            self.announced = true;
            drive.core.with_state(|state| {
                state.attempt(AttemptChange {
                    position: drive.position,
                    attempt: self.scope.attempt,
                    name: drive.name.clone(),
                    started_at: self.started_at,
                    finished_at: None,
                    error: None,
                    notes: None,
                })
            });
        }
    }

    fn drop_body(&mut self, drive: &Drive) {
        let body = self.body.take();
        if let Err(said) = guarded(|| drop(body)) {
            tracing::warn!(step = %drive.name, said, "dropping the body of a step panicked");
        }
    }
}

fn timer(clock: &Clock, after: Duration) -> BoxFuture<'static, ()> {
    let clock = clock.clone();
    Box::pin(async move { clock.sleep(after).await })
}

pub(super) fn panicked(said: &str) -> Error {
    Error::new(Code::Panicked, format!("the step panicked: {said}"))
}
