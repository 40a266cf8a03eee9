//! What a run publishes: events and chunks of streams. The owner of the run assigns the indices of chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

use onward_store::{Change, NewChunk};
use onward_types::{ChunkBody, Code, Error, Json, StreamRecord, Timestamp};

/// What a call publishes.
#[derive(Clone)]
pub(crate) enum Said {
    /// Sets the value of an event.
    Event { key: Arc<str>, value: Json },
    /// Appends to a stream, or closes it.
    Chunk { stream: Arc<str>, body: ChunkBody },
}

impl Said {
    /// The size of what it publishes, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Said::Event { value, .. } => value.len(),
            Said::Chunk { body, .. } => body.len(),
        }
    }
}

/// The next index of each stream of a run.
#[derive(Default)]
pub(crate) struct Tails(BTreeMap<Arc<str>, Tail>);

#[derive(Clone, Copy, Default)]
struct Tail {
    next: i64,
    closed: bool,
}

impl Tails {
    pub(crate) fn of(streams: Vec<StreamRecord>) -> Tails {
        let tail = |info: &StreamRecord| Tail { next: info.tail + 1, closed: info.closed };
        Tails(streams.into_iter().map(|info| (info.key.as_str().into(), tail(&info))).collect())
    }

    /// The change that publishes this. A closed stream accepts nothing except another close.
    pub(crate) fn change(
        &mut self,
        position: u32,
        attempt: u32,
        said: Said,
        at: Timestamp,
    ) -> Result<Option<Change>, Error> {
        let (stream, body) = match said {
            Said::Event { key, value } => return Ok(Some(Change::SetEvent { position, key, value, at })),
            Said::Chunk { stream, body } => (stream, body),
        };
        let tail = self.0.entry(stream.clone()).or_default();
        if tail.closed && body == ChunkBody::Close {
            return Ok(None);
        }
        if tail.closed {
            let message = format!("the stream `{stream}` is closed: nothing more can be appended to it");
            return Err(Error::new(Code::Closed, message));
        }
        let index = tail.next;
        tail.next += 1;
        tail.closed = body == ChunkBody::Close;
        Ok(Some(Change::Append(Box::new(NewChunk { stream, index, position, attempt, body, at }))))
    }
}
