//! An instant in JSON: RFC 3339 in UTC, always with six digits after the second, so that the texts sort as the instants do.
//!
//! Tables store microseconds, so nothing is lost. Any RFC 3339 text with an offset is read.
//!
//! ```
//! use onward_types::Timestamp;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Shipped {
//!     #[serde(with = "onward_types::wire::instant")]
//!     at: Timestamp,
//! }
//!
//! let json = serde_json::to_string(&Shipped { at: Timestamp::UNIX_EPOCH }).unwrap();
//! assert_eq!(json, r#"{"at":"1970-01-01T00:00:00.000000Z"}"#);
//! let read: Shipped = serde_json::from_str(r#"{"at":"1970-01-01T01:00:00+01:00"}"#).unwrap();
//! assert_eq!(read.at, Timestamp::UNIX_EPOCH);
//! ```

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Writes the instant.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&PRINTER.timestamp_to_string(at))
}

/// Reads an instant.
///
/// # Errors
/// If it is not a text in RFC 3339 with an offset.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    Timestamp::deserialize(from)
}

/// An instant that may be missing. A field of it also says `default` and `skip_serializing_if = "Option::is_none"`.
pub mod option {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    /// Writes the instant.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, to),
            None => to.serialize_none(),
        }
    }

    /// Reads an instant.
    ///
    /// # Errors
    /// As for [`deserialize`](super::deserialize).
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Option::deserialize(from)
    }
}

/// A list of instants.
pub mod list {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    struct Instant<'a>(&'a Timestamp);

    impl Serialize for Instant<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            super::serialize(self.0, to)
        }
    }

    /// Writes the instants.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(instants: &[Timestamp], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(instants.iter().map(Instant))
    }

    /// Reads instants.
    ///
    /// # Errors
    /// As for [`deserialize`](super::deserialize).
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Timestamp>, D::Error> {
        Vec::deserialize(from)
    }
}
