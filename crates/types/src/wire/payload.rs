//! A value that a program recorded and that may not be there: JSON `null` is a value, and a field that is left out is none.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Json;

#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(crate) fn serialize<S: Serializer>(value: &Option<Json>, to: S) -> Result<S::Ok, S::Error> {
    // Not as a `Some`, which would come back from `null` as `None` if it were read without `deserialize`.
    match value {
        Some(json) => json.serialize(to),
        None => to.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(from).map(Some)
}
