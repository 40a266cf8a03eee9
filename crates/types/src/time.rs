//! Instants. Tables hold microseconds since 1970, so an instant is cut to microseconds before anyone sees it.

/// An instant, in UTC.
pub type Timestamp = jiff::Timestamp;

/// The microseconds since 1970 that tables hold.
#[must_use]
pub fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The instant that a table's microseconds stand for. Beyond the years that an instant can name it is the nearest one.
#[must_use]
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
