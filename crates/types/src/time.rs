//! Instants. Tables store microseconds since 1970, so an instant is truncated to microseconds before it is shown.

/// An instant, in UTC.
pub type Timestamp = jiff::Timestamp;

/// The instant as microseconds since 1970, the form in tables.
#[must_use]
pub fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The instant for a table's microseconds. Values out of range give the nearest representable instant.
#[must_use]
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
