//! A recorded value: raw JSON text that is cheap to clone.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Code, Error};
use crate::checked::{Checked, DEPTH_MAX};

/// JSON text as it is recorded. Clones share one buffer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Encodes `value`.
    ///
    /// # Errors
    /// [`Code::Encode`] with the type, the place and the reason if JSON cannot represent the value or it would not decode to an
    /// equal one: NaN and infinities, `Some(None)` and `Some(())`, and lists and objects nested more than 127 deep. A retry
    /// cannot help, so the error is [fatal](Error::is_fatal).
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Json, Error> {
        serde_json::to_string(&Checked::new(value)).map(Json::from).map_err(|error| {
            let of = std::any::type_name::<T>();
            Error::fatal(Error::new(
                Code::Encode,
                format!("a value of type `{of}` cannot be recorded as JSON: {error}"),
            ))
        })
    }

    /// Refuses a value that could not be decoded as an item of a list.
    ///
    /// # Errors
    /// [`Code::Encode`] if it is nested too deeply for that.
    #[doc(hidden)]
    pub fn check_item(&self) -> Result<(), Error> {
        let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
        for byte in self.0.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = !in_text,
                b'[' | b'{' if !in_text => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if deepest < usize::from(DEPTH_MAX) {
            return Ok(());
        }
        let message = format!(
            "an item of a list is nested {deepest} lists and objects deep; at most {} are possible",
            DEPTH_MAX - 1
        );
        Err(Error::fatal(Error::new(Code::Encode, message)))
    }

    /// Decodes into `T`.
    ///
    /// # Errors
    /// [`Code::Decode`], naming the type and with serde's message.
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

    /// The length of the text in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty. That of an encoded value never is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `null`, which a call without a value records.
    ///
    /// ```
    /// use onward_types::Json;
    ///
    /// assert_eq!(Json::null(), Json::encode(&())?);
    /// # Ok::<(), onward_types::Error>(())
    /// ```
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
    /// As JSON itself, not as a string that contains JSON.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if &*self.0 == "null" {
            // So that `Checked` recognizes a `Some` of it, which would decode as `None`.
            return serializer.serialize_unit();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_as_it_was_written() {
        let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = f64::from_bits(bits);
            if number.is_finite() {
                let read: f64 = Json::encode(&number).unwrap().decode().unwrap();
                assert_eq!(read.to_bits(), number.to_bits(), "{number}");
            }
        }
        let read: f64 = Json::encode(&90.657_582_199_261_31_f64).unwrap().decode().unwrap();
        assert_eq!(read.to_string(), "90.65758219926131");
    }

    #[test]
    fn an_item_of_a_list_has_room_for_the_list() {
        let nested = |levels: usize| Json::from(format!("{}\"[{{\\\"\"{}", "[".repeat(levels), "]".repeat(levels)));
        assert!(nested(126).check_item().is_ok());
        assert_eq!(nested(127).check_item().unwrap_err().kind(), Code::Encode);
    }
}
