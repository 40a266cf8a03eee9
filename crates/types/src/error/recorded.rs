//! The form in which an error is recorded.

use serde::{Deserialize, Serialize};

use super::{Body, Code, Error, ErrorData, Json, Result};

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
        let Body { message, data, .. } = &*self.0;
        let recorded = Recorded { code: self.code().to_owned(), message: message.clone(), data: data.clone() };
        Json::encode(&recorded).expect("strings and a value that is already JSON can be encoded")
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
        let Recorded { code: text, message, data } = json
            .decode()
            .map_err(|error| Error::new(Code::Corrupt, format!("the JSON is not a recorded error: {error}")))?;
        let code = text.parse().unwrap_or(Code::Unknown);
        let foreign = (code.as_str() != text).then(|| text.into());
        Ok(Error(Box::new(Body { foreign, data, ..Body::new(code, message) })))
    }
}
