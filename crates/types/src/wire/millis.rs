//! A duration in JSON: whole milliseconds, rounded up so that a short duration is never 0.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

/// A duration that may be missing.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes the field as it is")]
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::deserialize(from)?.map(Duration::from_millis))
    }
}

/// The first and the longest of some pauses, which may be missing: two numbers.
pub(crate) mod range {
    use std::ops::Range;

    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Millis(#[serde(with = "super")] Duration);

    pub(crate) fn serialize<S: Serializer>(range: &Option<Range<Duration>>, to: S) -> Result<S::Ok, S::Error> {
        range.as_ref().map(|range| [Millis(range.start), Millis(range.end)]).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Range<Duration>>, D::Error> {
        let range: Option<[Millis; 2]> = Option::deserialize(from)?;
        Ok(range.map(|[start, end]| start.0..end.0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use crate::wire::millis;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Timed {
        #[serde(rename = "timeout_ms", default, with = "millis::option", skip_serializing_if = "Option::is_none")]
        timeout: Option<Duration>,
    }

    #[test]
    fn a_timeout_is_written_in_milliseconds() {
        for (timeout, json) in [(Some(Duration::from_secs(172_800)), r#"{"timeout_ms":172800000}"#), (None, "{}")] {
            let timed = Timed { timeout };
            assert_eq!(serde_json::to_string(&timed).unwrap(), json);
            assert_eq!(serde_json::from_str::<Timed>(json).unwrap(), timed);
        }
        let endless = serde_json::to_string(&Timed { timeout: Some(Duration::MAX) }).unwrap();
        assert_eq!(serde_json::from_str::<Timed>(&endless).unwrap().timeout, Some(Duration::from_millis(u64::MAX)));
        let short = Timed { timeout: Some(Duration::from_micros(20)) };
        assert_eq!(serde_json::to_string(&short).unwrap(), r#"{"timeout_ms":1}"#);
        assert_eq!(serde_json::from_str::<Timed>(r#"{"timeout_ms":null}"#).unwrap(), Timed { timeout: None });
    }
}
