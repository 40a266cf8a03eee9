//! Read the streams of a run.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use onward_types::{Chunk, ChunkBody, Code, Error, RunId, RunKey};
use tokio::sync::watch;

use super::Client;
use crate::data::Data;
use crate::executor::waiters::LAST_LOOK;
use crate::future::BoxFuture;

/// The number of chunks read by one query. No transaction spans two pages.
const PAGE: u32 = 100;

/// The values of a stream, in order, as they arrive. Made by [`Client::read_stream`].
///
/// It ends when the stream is closed or the run has ended. It is a `futures::Stream`; [`next`](ReadStream::next) works without
/// that crate.
#[must_use = "a stream is read when it is polled"]
pub struct ReadStream<T> {
    chunks: ReadChunks,
    value: PhantomData<fn() -> T>,
}

/// The reader is returned together with what it read.
type Read = (Box<Reader>, Option<Result<Chunk, Error>>);

/// The chunks of a stream, with their metadata. Made by [`ReadStream::chunks`].
#[must_use = "a stream is read when it is polled"]
pub struct ReadChunks {
    /// `None` while `reading` holds it.
    reader: Option<Box<Reader>>,
    reading: Option<BoxFuture<'static, Read>>,
    next_index: i64,
}

struct Reader {
    client: Client,
    run: RunId,
    stream: String,
    /// The index to begin at. Negative: this many chunks before the end.
    from: i64,
    committed: bool,
    /// Whether it returns chunks, which are records and therefore masked, or values.
    records: bool,
    open: Option<Open>,
    over: bool,
    /// The client was closed, and what was there then has been read.
    has_looked: bool,
}

/// The position in a stream that is being read.
struct Open {
    run: RunKey,
    watch: watch::Receiver<()>,
    page: VecDeque<Chunk>,
    /// The index of the first chunk after the page.
    next: i64,
}

impl<T: Data> ReadStream<T> {
    pub(crate) fn new(client: &Client, run: RunId, stream: String) -> ReadStream<T> {
        let client = client.clone();
        let (from, committed, records, open, over, has_looked) = Default::default();
        let reader = Reader { client, run, stream, from, committed, records, open, over, has_looked };
        let chunks = ReadChunks { reader: Some(Box::new(reader)), reading: None, next_index: 0 };
        ReadStream { chunks, value: PhantomData }
    }

    /// Begin at this index. A negative index counts back from the current end, but not past the first chunk. An index past the
    /// end waits for that chunk while the stream is open.
    pub fn from(mut self, index: i64) -> Self {
        self.chunks.begin(|reader| reader.from = index);
        self
    }

    /// Skip chunks that were appended by attempts of steps that failed or were ended by a crash, and return the chunks of a
    /// running step only once its result is recorded. The indices of skipped chunks are missing.
    pub fn committed(mut self) -> Self {
        self.chunks.begin(|reader| reader.committed = true);
        self
    }

    /// The chunks instead of their values: with their indices, and with bytes as bytes.
    ///
    /// ```
    /// # use onward_engine::{ChunkBody, Ctx, Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// async fn render(ctx: &Ctx) -> Result<()> {
    ///     let drawn = ctx.step("draw", async || Ok(ctx.stream("image").append_bytes([0x89, b'P']).await?));
    ///     Ok(drawn.await?)
    /// }
    /// let onward = Onward::open("sqlite::memory:").workflow_fn("render", "1", |ctx, (): ()| async move { render(&ctx).await });
    /// let onward = onward.launch().await?;
    /// let run = onward.start_named("render", ()).await?;
    ///
    /// // Nothing of an attempt that fails.
    /// let mut chunks = run.read_stream::<()>("image").committed().chunks();
    /// let chunk = chunks.next().await.expect("a chunk")?;
    /// assert_eq!((chunk.index, chunk.body), (0, ChunkBody::Bytes([0x89, b'P'].into())));
    /// assert!(chunks.next().await.is_none(), "it ended with the run");
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn chunks(mut self) -> ReadChunks {
        self.chunks.begin(|reader| reader.records = true);
        self.chunks
    }

    /// The next value; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The index to resume from: the one after the last value that was returned.
    #[must_use]
    pub fn next_index(&self) -> i64 {
        self.chunks.next_index
    }
}

impl<T> Unpin for ReadStream<T> {}

impl<T: Data> Stream for ReadStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.chunks).poll_next(cx).map(|chunk| chunk.map(|chunk| value(chunk?)))
    }
}

fn value<T: Data>(chunk: Chunk) -> Result<T, Error> {
    match chunk.body {
        ChunkBody::Json(json) => json.decode(),
        ChunkBody::Bytes(_) | ChunkBody::Close => {
            let index = chunk.index;
            let message = format!("chunk {index} holds bytes, not a JSON value: read the chunks of the stream instead");
            Err(Error::new(Code::Decode, message))
        }
    }
}

impl ReadChunks {
    fn begin(&mut self, set: impl FnOnce(&mut Reader)) {
        if let Some(reader) = &mut self.reader {
            set(reader);
        }
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Chunk, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for ReadChunks {
    type Item = Result<Chunk, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(mut reader) = self.reader.take() {
            self.reading = Some(Box::pin(async move {
                let chunk = reader.next().await;
                (reader, chunk)
            }));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let (reader, chunk) = std::task::ready!(reading.as_mut().poll(cx));
        self.reading = None;
        self.reader = Some(reader);
        if let Some(Ok(chunk)) = &chunk {
            self.next_index = chunk.index + 1;
        }
        Poll::Ready(chunk)
    }
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Chunk, Error>> {
        if self.over {
            return None;
        }
        let waiters = self.client.waiters.clone();
        let next = tokio::select! {
            biased;
            next = self.advance() => next,
            // A database that does not answer does not prolong the wait.
            () = waiters.closed_for(LAST_LOOK) => Err(self.closed()),
        };
        // After an error the reader can be polled again; it continues where it was. A closed client reads no further.
        self.over = match &next {
            Ok(chunk) => chunk.is_none(),
            Err(error) => error.kind() == Code::Stopped,
        };
        let shown = |chunk: Chunk| if self.records { self.client.shown(chunk) } else { chunk };
        next.map(|chunk| chunk.map(shown)).transpose()
    }

    async fn advance(&mut self) -> Result<Option<Chunk>, Error> {
        if self.open.is_none() {
            self.open = Some(self.begin().await?);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        loop {
            if let Some(chunk) = open.page.pop_front() {
                match (&chunk.body, chunk.committed) {
                    (ChunkBody::Close, _) => return Ok(None),
                    (_, Some(true)) => return Ok(Some(chunk)),
                    _ if !self.committed => return Ok(Some(chunk)),
                    _ => continue,
                }
            }
            // What is there is still read, but only one page: there may be chunks without end.
            if self.client.waiters.is_closed() && std::mem::replace(&mut self.has_looked, true) {
                return Err(self.closed());
            }
            // Register, read, wait: an append after the read is signalled.
            open.watch.mark_unchanged();
            let found = self.client.store.chunks(open.run, &self.stream, open.next, PAGE).await?;
            let undecided = |chunk: &Chunk| self.committed && chunk.committed.is_none() && !found.ended;
            let decided = found.chunks.iter().position(undecided).unwrap_or(found.chunks.len());
            let none = found.chunks.is_empty();
            open.page.extend(found.chunks.into_iter().take(decided));
            match open.page.back() {
                Some(last) => open.next = last.index + 1,
                None if found.ended || (found.closed && none) => return Ok(None),
                None => {
                    self.client.store.listen_closely().await;
                    tokio::select! {
                        biased;
                        // The client keeps the waiters alive, so this cannot fail.
                        _ = open.watch.changed() => {}
                        () = self.client.waiters.closed() => {}
                    }
                }
            }
        }
    }

    fn closed(&self) -> Error {
        super::closed(format!("stream `{}` of run {:?}", self.stream, self.run))
    }

    async fn begin(&self) -> Result<Open, Error> {
        let run = self.client.store.find(&self.run).await?.key;
        let watch = self.client.waiters.watch(run);
        self.client.store.listen_closely().await;
        let next = if self.from < 0 {
            let streams = self.client.store.streams(run).await?;
            let tail = streams.iter().find(|info| info.key == self.stream).map_or(-1, |info| info.tail);
            (tail + 1 + self.from).max(0)
        } else {
            self.from
        };
        Ok(Open { run, watch, page: VecDeque::new(), next })
    }
}
