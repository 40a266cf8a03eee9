//! Documents: JSON values by kind and id.

use serde::{Deserialize, Serialize};

use crate::{Json, Timestamp};

/// A document as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRecord {
    /// Its kind.
    pub kind: String,
    /// Its id, unique within the kind.
    pub id: String,
    /// How often it was written: 1 for a new document. A document that was deleted and put again begins at 1.
    pub version: u64,
    /// The value.
    pub value: Json,
    /// When the first version was written.
    #[serde(with = "crate::wire::instant")]
    pub created_at: Timestamp,
    /// When this version was written.
    #[serde(with = "crate::wire::instant")]
    pub updated_at: Timestamp,
}

/// A document with its decoded value.
///
/// ```
/// use onward_types::{Document, Timestamp};
/// let at = Timestamp::UNIX_EPOCH;
/// let document = Document { id: "a".to_owned(), version: 1, value: 7, created_at: at, updated_at: at };
/// assert_eq!(serde_json::to_value(&document).unwrap()["value"], 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<T> {
    /// Its id, unique within its kind.
    pub id: String,
    /// How often it was written: see [`DocumentRecord::version`].
    pub version: u64,
    /// The value.
    pub value: T,
    /// When the first version was written.
    #[serde(with = "crate::wire::instant")]
    pub created_at: Timestamp,
    /// When this version was written.
    #[serde(with = "crate::wire::instant")]
    pub updated_at: Timestamp,
}
