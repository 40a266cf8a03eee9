//! One attempt of a step: its body, with the time limit and the row that shows it to people.

use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::activity::Busy;
use onward_store::{AttemptChange, Clock};
use onward_types::{Code, Error, Heartbeat, Json, Result, Timestamp, guarded};
use tracing::Span;

use super::heartbeat::Heartbeats;
use super::{Policy, kept};
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
    /// `None` if it has sent no heartbeat and need not send any.
    pub(super) heartbeats: Option<Box<Heartbeats>>,
    /// How many attempts had failed before this one.
    pub(super) failures: u32,
    /// The last heartbeat of the attempt whose row this one replaces.
    pub(super) carried: Option<Box<Heartbeat>>,
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
        if let Some(silent) = self.beat(cx, drive, policy) {
            self.drop_body(drive);
            return Poll::Ready(Err(silent.into()));
        }
        self.announce(cx, drive);
        Poll::Pending
    }

    /// Records a heartbeat if one is due. Returns the error of an attempt that has sent none for too long.
    fn beat(&mut self, cx: &mut Context<'_>, drive: &Drive, policy: &Policy<'_>) -> Option<Error> {
        let clock = drive.core.clock();
        if self.scope.told.take_beaten() {
            self.heartbeats.get_or_insert_with(|| Box::new(Heartbeats::new(clock))).hear(clock);
        }
        let heartbeats = self.heartbeats.as_mut()?;
        if let Some(limit) = policy.heartbeat_timeout
            && heartbeats.is_silent(cx, clock, limit)
        {
            let message =
                format!("attempt {} of step `{}` sent no heartbeat for {limit:?}", self.scope.attempt, drive.name);
            return Some(Error::new(Code::TimedOut, message));
        }
        if heartbeats.is_due(cx, clock) {
            self.announced = true;
            drive.core.with_state(|state| state.attempt(self.row(drive)));
        }
        None
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
            drive.core.with_state(|state| state.attempt(self.row(drive)));
        }
    }

    /// The row of the attempt while it runs.
    pub(super) fn row(&self, drive: &Drive) -> AttemptChange {
        AttemptChange {
            position: drive.position,
            attempt: self.scope.attempt,
            name: drive.name.clone(),
            started_at: self.started_at,
            finished_at: None,
            error: None,
            notes: None,
            failures: self.failures,
            retry_at: None,
            heartbeat: self.scope.told.heartbeat().or_else(|| self.carried.as_deref().cloned()),
            drops: kept::dropped_by(self.scope.attempt),
        }
    }

    fn drop_body(&mut self, drive: &Drive) {
        let body = self.body.take();
        if let Err(said) = guarded(|| drop(body)) {
            tracing::warn!(
                target: "onward::step",
                run = %drive.core.about.id,
                workflow = %drive.core.about.workflow,
                step = &*drive.name,
                error = said,
                "dropping the body of a step panicked"
            );
        }
        self.scope.told.place.end();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        drop(self.body.take());
        // The user may keep something that the body made, and with it what the body has told.
        self.scope.told.place.end();
    }
}

pub(super) fn timer(clock: &Clock, after: Duration) -> BoxFuture<'static, ()> {
    let clock = clock.clone();
    Box::pin(async move { clock.sleep(after).await })
}

pub(super) fn panicked(said: &str) -> Error {
    Error::new(Code::Panicked, format!("the step panicked: {said}"))
}
