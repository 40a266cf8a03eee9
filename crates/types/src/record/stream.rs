//! What a run publishes: events and streams.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::payload;
use crate::{Json, Timestamp};

/// An event of a run with its latest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its key.
    pub key: String,
    /// Its latest value.
    pub value: Json,
    /// When it was last set.
    #[serde(with = "crate::wire::instant")]
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

/// One entry of a stream. In JSON its content is a `value`, or `bytes` in base64, or it says that it `closes` the stream.
///
/// ```
/// use onward_types::{Chunk, ChunkBody};
/// let json = r#"{"index":0,"position":2,"attempt":1,"bytes":"aGk=","appended_at":"2026-01-01T00:00:00.000000Z"}"#;
/// let chunk: Chunk = serde_json::from_str(json).unwrap();
/// assert_eq!(chunk.body, ChunkBody::Bytes(b"hi"[..].into()));
/// assert_eq!(serde_json::to_string(&chunk).unwrap(), json);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
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

/// A chunk as it is written in JSON.
#[derive(Serialize, Deserialize)]
struct Written {
    index: i64,
    position: u32,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<bool>,
    #[serde(default, with = "payload", skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closes: bool,
    #[serde(with = "crate::wire::instant")]
    appended_at: Timestamp,
}

impl From<Chunk> for Written {
    fn from(chunk: Chunk) -> Written {
        let Chunk { index, position, attempt, committed, body, appended_at } = chunk;
        let (value, bytes, closes) = match body {
            ChunkBody::Json(json) => (Some(json), None, false),
            ChunkBody::Bytes(bytes) => (None, Some(STANDARD.encode(bytes)), false),
            ChunkBody::Close => (None, None, true),
        };
        Written { index, position, attempt, committed, value, bytes, closes, appended_at }
    }
}

impl TryFrom<Written> for Chunk {
    type Error = String;

    fn try_from(written: Written) -> Result<Chunk, String> {
        let Written { index, position, attempt, committed, value, bytes, closes, appended_at } = written;
        let body = match (value, bytes, closes) {
            (Some(json), None, false) => ChunkBody::Json(json),
            (None, Some(text), false) => {
                let bytes = STANDARD.decode(text).map_err(|error| format!("`bytes` is not base64: {error}"))?;
                ChunkBody::Bytes(bytes.into())
            }
            (None, None, true) => ChunkBody::Close,
            _ => return Err("a chunk has either a `value`, or `bytes`, or `closes` the stream".to_owned()),
        };
        Ok(Chunk { index, position, attempt, committed, body, appended_at })
    }
}

/// The progress of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its key.
    pub key: String,
    /// The index of its last chunk; -1 if it has none.
    pub tail: i64,
    /// Whether the run closed it.
    pub closed: bool,
}
