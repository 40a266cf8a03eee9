//! What a run publishes: events and streams.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Json, Timestamp};

/// An event of a run with its latest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its key.
    pub key: String,
    /// Its latest value.
    pub value: Json,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// The content of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkBody {
    /// A value.
    Json(Json),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// The end of the stream.
    Close,
}

impl ChunkBody {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            ChunkBody::Json(json) => json.len(),
            ChunkBody::Bytes(bytes) => bytes.len(),
            ChunkBody::Close => 0,
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind as text, as stored in tables.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            ChunkBody::Json(_) => "json",
            ChunkBody::Bytes(_) => "bytes",
            ChunkBody::Close => "close",
        }
    }
}

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its index in the stream, from 0.
    pub index: i64,
    /// The position of the call that appended it, or of the step whose body did.
    pub position: u32,
    /// The attempt of the step that appended it, from 1; 0 if the workflow itself did.
    pub attempt: u32,
    /// Whether the attempt that appended it is the one whose result was recorded. `None` while the step has no result.
    pub committed: Option<bool>,
    /// Its content.
    pub body: ChunkBody,
    /// When it was appended.
    pub appended_at: Timestamp,
}

/// The progress of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// Its key.
    pub key: String,
    /// The index of its last chunk; -1 if it has none.
    pub tail: i64,
    /// Whether the run closed it.
    pub closed: bool,
}
