//! Typed errors: recorded with their data, and read back as the type that they were.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{BoxError, Code, Error, Json, Result};

/// Called back if the data of a recorded error turns out to be unreadable.
#[doc(hidden)]
pub trait Reader: Send + Sync {
    /// The data has the name of the requested type but cannot be decoded as it. `is_same` says that exactly that type recorded
    /// it; otherwise it may be another type of the same name, or the same type before it was moved.
    fn unreadable(&self, why: Error, is_same: bool);
}

/// The recorded form of a typed error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorData {
    /// The last path segment of the type's name: stable when modules move, unlike the full name.
    #[serde(rename = "type")]
    pub tag: String,
    /// The full name of the type, which distinguishes types with the same last segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The error as JSON.
    pub value: Json,
}

impl Error {
    /// Converts any error into an [`Error`]. If it is an `E`, [`downcast`](Error::downcast) returns it again. An `E` that cannot be
    /// encoded becomes an error of kind [`Code::Encode`] that says so and includes the message of the `E`.
    #[must_use]
    pub fn typed<E>(error: BoxError) -> Error
    where
        E: std::error::Error + Serialize + 'static,
    {
        let value = error.downcast_ref::<E>().map(Json::encode);
        let mut error = Error::from_box(error);
        match value {
            None => {}
            Some(Ok(value)) => {
                let path = Some(std::any::type_name::<E>().to_owned());
                error.0.data = Some(ErrorData { tag: tag_of::<E>(), path, value });
            }
            Some(Err(refused)) => return Error::new(Code::Encode, format!("{refused}. The error was: {error}")),
        }
        error
    }

    /// The same error with data that [`downcast`](Error::downcast) returns.
    ///
    /// ```
    /// use onward_types::{Code, Error};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Declined { cents: u32 }
    ///
    /// let error = Error::new(Code::Failed, "declined").with_data(&Declined { cents: 4200 });
    /// assert_eq!(error.data().map(|data| data.tag.as_str()), Some("Declined"));
    ///
    /// // As it is recorded, and as it comes back.
    /// let error = Error::from_json(&error.to_json())?;
    /// assert!(error.is::<Declined>());
    /// assert_eq!(error.downcast::<Declined>()?.cents, 4200);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn with_data<E: Serialize>(mut self, data: &E) -> Error {
        let path = Some(std::any::type_name::<E>().to_owned());
        self.0.data = Json::encode(data).ok().map(|value| ErrorData { tag: tag_of::<E>(), path, value });
        self
    }

    /// The recorded form of the typed error, if there is one.
    #[must_use]
    pub fn data(&self) -> Option<&ErrorData> {
        self.0.data.as_ref()
    }

    /// Sets the reader to call if the data cannot be decoded as the type whose name it has.
    #[doc(hidden)]
    #[must_use]
    pub fn read_by(mut self, reader: impl FnOnce() -> Arc<dyn Reader>) -> Error {
        if self.0.data.is_some() {
            self.0.reader = Some(reader());
        }
        self
    }

    /// Whether the recorded error is an `E`.
    #[must_use]
    pub fn is<E: DeserializeOwned + 'static>(&self) -> bool {
        self.decode::<E>().is_some()
    }

    /// The typed error, the same live and on replay. In a workflow, an error that was recorded as an `E` and can no longer be decoded
    /// as one holds the run until code that can decode it is deployed.
    ///
    /// # Errors
    /// The error itself if it is not an `E`: `error.downcast::<ChargeError>()?` returns it to the caller.
    pub fn downcast<E: DeserializeOwned + 'static>(self) -> Result<E, Error> {
        self.decode::<E>().ok_or(self)
    }

    fn decode<E: DeserializeOwned + 'static>(&self) -> Option<E> {
        match self.read_as::<E>() {
            Ok(typed) => typed,
            Err((why, is_same)) => {
                if let Some(reader) = &self.0.reader {
                    reader.unreadable(why, is_same);
                }
                None
            }
        }
    }

    /// The typed error, if the data has the name of `E`.
    ///
    /// # Errors
    /// Why it cannot be decoded as an `E`, and whether exactly that type recorded it.
    #[doc(hidden)]
    pub fn read_as<E: DeserializeOwned + 'static>(&self) -> Result<Option<E>, (Error, bool)> {
        let Some(data) = self.0.data.as_ref().filter(|data| data.tag == tag_of::<E>()) else { return Ok(None) };
        let is_same = data.path.as_deref().is_none_or(|path| path == std::any::type_name::<E>());
        data.value.decode().map(Some).map_err(|why| (why, is_same))
    }
}

fn tag_of<E>() -> String {
    let name = std::any::type_name::<E>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain).to_owned()
}
