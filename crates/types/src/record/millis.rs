//! A duration in JSON: whole milliseconds, rounded up so that a short duration is never 0.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let millis = |duration: Duration| u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    duration.map(millis).serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::deserialize(from)?.map(Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use crate::record::millis;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Timed {
        #[serde(rename = "timeout_ms", with = "millis", default)]
        timeout: Option<Duration>,
    }

    #[test]
    fn a_timeout_is_written_in_milliseconds() {
        for (timeout, json) in
            [(Some(Duration::from_secs(172_800)), r#"{"timeout_ms":172800000}"#), (None, r#"{"timeout_ms":null}"#)]
        {
            let timed = Timed { timeout };
            assert_eq!(serde_json::to_string(&timed).unwrap(), json);
            assert_eq!(serde_json::from_str::<Timed>(json).unwrap(), timed);
        }
        let endless = serde_json::to_string(&Timed { timeout: Some(Duration::MAX) }).unwrap();
        assert_eq!(serde_json::from_str::<Timed>(&endless).unwrap().timeout, Some(Duration::from_millis(u64::MAX)));
        let short = Timed { timeout: Some(Duration::from_micros(20)) };
        assert_eq!(serde_json::to_string(&short).unwrap(), r#"{"timeout_ms":1}"#);
        assert_eq!(serde_json::from_str::<Timed>("{}").unwrap(), Timed { timeout: None });
    }
}
