//! The three kinds of id: a run's id for people, its key in tables, and the id of an executor.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, check_name};

/// The id of a run: chosen by the caller, or a UUIDv7. It may be reused once the run is deleted.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Accepts `id` if every database can store it.
    ///
    /// # Errors
    /// [`Code::Invalid`](crate::Code::Invalid) if the id is empty, longer than [`NAME_MAX`](crate::NAME_MAX) bytes or contains
    /// control characters.
    pub fn new(id: impl AsRef<str>) -> Result<RunId, Error> {
        let id = id.as_ref();
        check_name("run id", id)?;
        Ok(RunId(id.into()))
    }

    /// The id of a run for which the caller chose none: its key as text.
    #[doc(hidden)]
    #[must_use]
    pub fn of_key(key: RunKey) -> RunId {
        RunId(key.0.hyphenated().to_string().into())
    }

    /// The id of the child that `parent` starts at `position`, the same on every replay: `order-17-3-4f1c9a7be02d`.
    ///
    /// It ends with a part of the parent's key, so that it collides neither with an id that a caller chooses nor with a child of a
    /// later run that reuses the parent's id. If the parent's id is its key, that part is left out. If the id would be too long,
    /// the key replaces the parent's id, so deep nesting never exceeds the limit.
    #[doc(hidden)]
    #[must_use]
    pub fn of_child(parent: &RunId, key: RunKey, position: u32) -> RunId {
        let is_key = Uuid::try_parse(parent.as_str()).is_ok_and(|it| it == key.0);
        let id = if is_key {
            format!("{parent}-{position}")
        } else {
            // The random end of the key.
            let end = key.0.as_u128() & 0xffff_ffff_ffff;
            format!("{parent}-{position}-{end:012x}")
        };
        if id.len() <= crate::NAME_MAX {
            RunId(id.into())
        } else {
            RunId(format!("{}-{position}", key.0.simple()).into())
        }
    }

    /// An id read from a table. It was checked before it was written.
    #[doc(hidden)]
    #[must_use]
    pub fn recorded(id: String) -> RunId {
        RunId(id.into())
    }

    /// Whether a run can have this id. The id in a query may be any text, and not every database can search for any text.
    #[doc(hidden)]
    #[must_use]
    pub fn is_possible(&self) -> bool {
        check_name("run id", &self.0).is_ok()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// So that an id can be given wherever a text names a run.
impl AsRef<str> for RunId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.as_str().to_owned()
    }
}

impl From<&RunId> for String {
    fn from(id: &RunId) -> String {
        id.as_str().to_owned()
    }
}

/// The key of a run in tables. Unlike the id it is never reused; keys sort by creation time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunKey(pub Uuid);

impl RunKey {
    /// The key as the 16 bytes stored in tables.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// With hyphens, as in JSON and in the id of a run for which the caller chose none.
impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of an executor. A process that lost its lease joins again under a new id; no id is ever reused.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutorId(Arc<str>);

impl ExecutorId {
    /// Makes an id from text that is known to be unique.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> ExecutorId {
        ExecutorId(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExecutorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExecutorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_child_is_its_parents_and_its_position_and_nobody_elses() {
        let key = |low: u128| RunKey(Uuid::from_u128((0x0192_0000_0000_7000_8000 << 48) | low));
        let named = RunId::recorded("order-17".into());
        assert_eq!(RunId::of_child(&named, key(0x4f), 3).as_str(), "order-17-3-00000000004f");
        assert_ne!(RunId::of_child(&named, key(1), 3), RunId::of_child(&named, key(2), 3), "another run of that id");
        let unnamed = RunId::of_key(key(1));
        assert_eq!(RunId::of_child(&unnamed, key(1), 3).as_str(), format!("{unnamed}-3"));
        let long = RunId::recorded("d".repeat(500));
        assert_eq!(RunId::of_child(&long, key(1), 3).as_str(), format!("{}-3", key(1).0.simple()));
    }
}
