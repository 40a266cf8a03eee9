//! `ctx.stream`: append to a stream of the run, from the workflow or from the body of a step.
//!
//! A chunk that is appended from a body carries the number of the attempt, because the body runs again after a crash and
//! appends again.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use onward_types::{ChunkBody, Error, StepKind, check_name};
use serde::Serialize;

use super::Lent;
use super::said::Say;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::tails::Said;

/// The key of the stream of a run that has only one.
///
/// ```
/// # use onward_engine::{Ctx, DEFAULT_STREAM, Result};
/// async fn think(ctx: &Ctx) -> Result<()> {
///     Ok(ctx.stream(DEFAULT_STREAM).append("token").await?)
/// }
/// ```
pub const DEFAULT_STREAM: &str = "default";

/// A stream of the run to append to. Made by [`Ctx::stream`].
pub struct StreamWriter<'a> {
    ctx: &'a Ctx,
    key: Arc<str>,
}

/// An append in progress. Made by [`StreamWriter`]; done when it is awaited.
#[must_use = "nothing is appended before this is awaited"]
pub struct Append<'a> {
    say: Say,
    lent: Lent<'a, ()>,
}

impl<'a> StreamWriter<'a> {
    pub(crate) fn new(ctx: &'a Ctx, key: &str) -> StreamWriter<'a> {
        StreamWriter { ctx, key: key.into() }
    }

    /// Append a value. In the workflow the append is recorded together with the chunk, and a replay does not append again. In
    /// the body of a step, each attempt appends its own chunk.
    ///
    /// Fails with `closed` if the stream was closed.
    pub fn append(&self, value: impl Serialize) -> Append<'a> {
        self.put(crate::data::encode("chunk", &value).map(ChunkBody::Json))
    }

    /// Append bytes. Fails with `closed` if the stream was closed.
    pub fn append_bytes(&self, bytes: impl Into<Vec<u8>>) -> Append<'a> {
        let bytes: Vec<u8> = bytes.into();
        let size = onward_store::check_size("chunk", bytes.len());
        self.put(size.map(|()| ChunkBody::Bytes(bytes.into())))
    }

    /// Close the stream: readers stop there, and nothing more can be appended. Closing it again has no effect. A stream that is
    /// never closed ends with its run.
    pub fn close(&self) -> Append<'a> {
        self.put(Ok(ChunkBody::Close))
    }

    fn put(&self, body: Result<ChunkBody, Error>) -> Append<'a> {
        let said = check_name("key of a stream", &self.key)
            .and(body)
            .map(|body| Said::Chunk { stream: self.key.clone(), body });
        Append { say: Say::new(self.ctx, StepKind::Stream, &self.key, said), lent: PhantomData }
    }
}

impl Future for Append<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.say.poll(cx).map(|outcome| outcome.map(drop))
    }
}

impl super::select::DurableCall for Append<'_> {
    type Output = ();
}
