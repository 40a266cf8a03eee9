//! The form in which an error is recorded, and in which it is part of other data.

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Body, Code, Error, ErrorData, Json, Reader, Result};

#[derive(Serialize, Deserialize)]
struct Recorded {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<ErrorData>,
}

impl Error {
    /// The error in its recorded form.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::encode(&self.recorded()).expect("strings and a value that is already JSON can be encoded")
    }

    /// Replaces the typed data of a recorded error. An error without data stays as it is.
    ///
    /// # Errors
    /// [`Code::Corrupt`] if the JSON is not a recorded error; otherwise the error of `map`.
    #[doc(hidden)]
    pub fn map_data(json: &Json, map: impl FnOnce(&Json) -> Result<Json, Error>) -> Result<Json, Error> {
        let mut recorded: Recorded = json
            .decode()
            .map_err(|error| Error::new(Code::Corrupt, format!("the JSON is not a recorded error: {error}")))?;
        let Some(data) = &mut recorded.data else { return Ok(json.clone()) };
        data.value = map(&data.value)?;
        Json::encode(&recorded)
    }

    /// Reads a recorded error. A code that this version does not know keeps its text; its kind is [`Code::Unknown`].
    ///
    /// # Errors
    /// [`Code::Corrupt`] if the JSON is not a recorded error.
    pub fn from_json(json: &Json) -> Result<Error, Error> {
        let recorded: Result<Recorded, Error> = json.decode();
        let recorded = recorded
            .map_err(|error| Error::new(Code::Corrupt, format!("the JSON is not a recorded error: {error}")))?;
        Ok(recorded.error())
    }

    fn recorded(&self) -> Recorded {
        Recorded { code: self.code().to_owned(), message: self.0.message.clone(), data: self.0.data.clone() }
    }
}

impl Recorded {
    fn error(self) -> Error {
        let Recorded { code: text, message, data } = self;
        let code = text.parse().unwrap_or(Code::Unknown);
        let foreign = (code.as_str() != text).then(|| text.into());
        Error(Box::new(Body { foreign, data, ..Body::new(code, message) }))
    }
}

/// In its recorded form, so that it can be a part of a typed error.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.recorded().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Error, D::Error> {
        let error = Recorded::deserialize(deserializer)?.error();
        Ok(match READER.with_borrow(Option::clone) {
            Some(reader) => error.read_by(|| reader),
            None => error,
        })
    }
}

thread_local! {
    /// The reader of the error whose data is being decoded. An error that is a part of that data gets the same one.
    static READER: RefCell<Option<Arc<dyn Reader>>> = const { RefCell::new(None) };
}

/// Decodes the data of an error with this reader.
pub(super) fn within<T>(reader: Option<Arc<dyn Reader>>, decode: impl FnOnce() -> T) -> T {
    struct Before(Option<Arc<dyn Reader>>);
    impl Drop for Before {
        fn drop(&mut self) {
            READER.set(self.0.take());
        }
    }
    let _before = Before(READER.replace(reader));
    decode()
}
