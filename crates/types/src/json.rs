//! A recorded value: JSON text, kept raw, cheap to clone.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{Code, Error};

/// JSON text as it is recorded. Two clones share one buffer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Encode `value`.
    ///
    /// # Errors
    /// [`Code::Encode`] with serde's own words, naming the type.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Json, Error> {
        serde_json::to_string(value).map(Json::from).map_err(|error| {
            let of = std::any::type_name::<T>();
            Error::new(Code::Encode, format!("a value of type `{of}` cannot be recorded as JSON: {error}"))
        })
    }

    /// Decode into `T`.
    ///
    /// # Errors
    /// [`Code::Decode`] with serde's own words, naming the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.0).map_err(|error| {
            let of = std::any::type_name::<T>();
            Error::new(Code::Decode, format!("the recorded value is not a `{of}`: {error}"))
        })
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes the text has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all, which no encoded value has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `null`: what a call without a value records.
    #[must_use]
    pub fn null() -> Json {
        Json("null".into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json(text.into())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    /// As the JSON it is, not as a string that holds JSON.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Json(raw.get().into()))
    }
}
