//! `ctx.stream`: append to a stream of the run, from the workflow or from the body of a step.
//!
//! From the workflow an append is a durable call: recorded, and not done again on replay. From a body it is not recorded, for the
//! body runs again after a crash and appends again: such a chunk says of which attempt it is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use onward_types::{ChunkBody, Error, StepKind, check_name};
use serde::Serialize;

use super::Lent;
use super::said::Say;
use crate::context::Ctx;
use crate::run::core::{RunCore, UNDURABLE_MAX};
use crate::run::tails::Said;
use crate::scope::{self, InStep};

/// A stream of the run, to be appended to. Made by [`Ctx::stream`].
pub struct StreamWriter<'a> {
    ctx: &'a Ctx,
    key: Arc<str>,
}

/// An append under way. Made by [`StreamWriter`]; await it.
#[must_use = "nothing is appended before this is awaited"]
pub struct Append<'a> {
    inner: Inner,
    lent: Lent<'a, ()>,
}

enum Inner {
    /// In the workflow.
    Call(Say),
    /// In the body of a step.
    Body { core: Arc<RunCore>, step: InStep, said: Option<Result<Said, Error>> },
}

impl<'a> StreamWriter<'a> {
    pub(crate) fn new(ctx: &'a Ctx, key: &str) -> StreamWriter<'a> {
        StreamWriter { ctx, key: key.into() }
    }

    /// Append a value. In a workflow this is recorded with the chunk, and a replay does not append again; in the body of a
    /// step the chunk is there once for each attempt.
    ///
    /// Fails with `closed` if the stream was closed.
    pub fn append<T: Serialize + ?Sized>(&self, value: &T) -> Append<'a> {
        self.put(crate::encode("chunk", value).map(ChunkBody::Json))
    }

    /// Append bytes.
    pub fn append_bytes(&self, bytes: impl Into<Vec<u8>>) -> Append<'a> {
        let bytes: Vec<u8> = bytes.into();
        let size = onward_store::check_size("chunk", bytes.len());
        self.put(size.map(|()| ChunkBody::Bytes(bytes.into())))
    }

    /// End the stream: readers stop there, and nothing can be appended any more. To close it again does nothing. A stream
    /// that is never closed ends with its run.
    pub fn close(&self) -> Append<'a> {
        self.put(Ok(ChunkBody::Close))
    }

    fn put(&self, body: Result<ChunkBody, Error>) -> Append<'a> {
        let said = check_name("key of a stream", &self.key)
            .and(body)
            .map(|body| Said::Chunk { stream: self.key.clone(), body });
        let inner = match scope::step() {
            Some(step) => Inner::Body { core: self.ctx.core.clone(), step, said: Some(said) },
            None => Inner::Call(Say::new(self.ctx, StepKind::Stream, &self.key, said)),
        };
        Append { inner, lent: std::marker::PhantomData }
    }
}

impl Future for Append<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Inner::Call(say) => say.poll(cx).map(|outcome| outcome.map(drop)),
            Inner::Body { core, step, said } => {
                if let Some(said) = said.take() {
                    append(core, step, said?)?;
                }
                // Whoever produces faster than the disk takes it has to wait.
                let made = core.state().made();
                if core.is_durable(made.saturating_sub(UNDURABLE_MAX), cx.waker()) {
                    Poll::Ready(Ok(()))
                } else {
                    Poll::Pending
                }
            }
        }
    }
}

fn append(core: &RunCore, step: &InStep, said: Said) -> Result<(), Error> {
    if core.is_detached() {
        return Ok(());
    }
    // The attempt is announced with its first chunk: the next one, after a crash, has another number.
    step.streams.store(true, Ordering::SeqCst);
    let now = core.clock().now();
    core.state().say(step.position, step.attempt, said, now)
}

impl super::select::DurableCall for Append<'_> {
    type Output = ();
}
