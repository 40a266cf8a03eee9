//! Reading the streams of a run.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use onward_types::{Chunk, ChunkBody, Code, Error, RunId, RunKey};
use tokio::sync::watch;

use super::Client;
use crate::data::Data;
use crate::future::BoxFuture;

/// So many chunks are read at once. No transaction outlives a page.
const PAGE: u32 = 100;

/// The values of a stream, one after another, as they come. Made by [`Client::read_stream`].
///
/// It ends where the stream was closed, or with the run. It is a `futures::Stream`; without that crate there is
/// [`next`](ReadStream::next).
#[must_use = "a stream is read when it is polled"]
pub struct ReadStream<T> {
    chunks: ReadChunks,
    value: PhantomData<fn() -> T>,
}

/// The reader comes back with what it read.
type Read = (Box<Reader>, Option<Result<Chunk, Error>>);

/// The chunks of a stream, with all that is known of them. Made by [`ReadStream::chunks`].
#[must_use = "a stream is read when it is polled"]
pub struct ReadChunks {
    /// None while `reading` has it.
    reader: Option<Box<Reader>>,
    reading: Option<BoxFuture<'static, Read>>,
    next_index: i64,
}

struct Reader {
    client: Client,
    run: RunId,
    stream: String,
    /// Where to begin; negative: so many chunks before the end.
    from: i64,
    committed: bool,
    /// Whether chunks are given, which are records, and no values.
    records: bool,
    open: Option<Open>,
    over: bool,
}

/// A stream that is being read.
struct Open {
    run: RunKey,
    watch: watch::Receiver<()>,
    page: VecDeque<Chunk>,
    /// The index of the next chunk that is not in the page.
    next: i64,
}

impl<T: Data> ReadStream<T> {
    pub(crate) fn new(client: &Client, run: RunId, stream: String) -> ReadStream<T> {
        let client = client.clone();
        let reader = Reader { client, run, stream, from: 0, committed: false, records: false, open: None, over: false };
        let chunks = ReadChunks { reader: Some(Box::new(reader)), reading: None, next_index: 0 };
        ReadStream { chunks, value: PhantomData }
    }

    /// Begin at this index. Negative: so many chunks before what is the end now, but not before the first one. An index past
    /// the end waits for it while the stream is open.
    pub fn from(mut self, index: i64) -> Self {
        self.chunks.begin(|reader| reader.from = index);
        self
    }

    /// Leave out what attempts of steps appended that failed or that a crash ended, and wait for the result of a step before
    /// what its body appended is given. Indices that are left out are missing.
    pub fn committed(mut self) -> Self {
        self.chunks.begin(|reader| reader.committed = true);
        self
    }

    /// The chunks themselves: with their indices, and bytes as bytes.
    pub fn chunks(mut self) -> ReadChunks {
        self.chunks.begin(|reader| reader.records = true);
        self.chunks
    }

    /// The next value; none at the end.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Where to go on: the index after that of the last value that was given.
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
            let message = format!("chunk {} holds bytes, no value: read the stream with `.chunks()`", chunk.index);
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

    /// The next chunk; none at the end.
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
        let next = self.advance().await;
        // After an error the same reader may be asked again: it goes on where it was.
        self.over = matches!(next, Ok(None));
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
            // Register, look, wait: whatever is appended after the look is told.
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
                    // The hub lives as long as the client does.
                    open.watch.changed().await.ok();
                }
            }
        }
    }

    async fn begin(&self) -> Result<Open, Error> {
        let run = self.client.store.find(&self.run).await?.key;
        let watch = self.client.hub.watch(run);
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
