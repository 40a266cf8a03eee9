//! Typed errors: recorded with their data, and read back as the type that they were.

use std::any::{Any, TypeId, type_name};
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::recorded::within;
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

impl ErrorData {
    fn of<E>(value: Json) -> ErrorData {
        ErrorData { tag: tag_of::<E>(), path: Some(type_name::<E>().to_owned()), value }
    }
}

impl Error {
    /// Converts any error into an [`Error`]. If it is an `E`, or an `E` that was marked as [fatal](Error::fatal),
    /// [`downcast`](Error::downcast) returns it again. An `E` that cannot be encoded becomes an error of kind [`Code::Encode`] that
    /// says so and includes the message of the `E`.
    #[must_use]
    pub fn typed<E>(error: BoxError) -> Error
    where
        E: std::error::Error + Serialize + 'static,
    {
        Error::try_typed::<E>(error).unwrap_or_else(|refused| refused)
    }

    /// The same, with the error of an `E` that cannot be encoded apart.
    pub(super) fn try_typed<E>(error: BoxError) -> Result<Error, Error>
    where
        E: std::error::Error + Serialize + 'static,
    {
        let encoded = if is_error::<E>() { None } else { live::<E>(&error).map(Json::encode) };
        let mut error = Error::from_box(error);
        match encoded {
            None => Ok(error),
            Some(Ok(value)) => {
                error.0.data = Some(ErrorData::of::<E>(value));
                Ok(error)
            }
            Some(Err(refused)) => {
                let mut refused = Error::new(Code::Encode, format!("{refused}. The error was: {error}"));
                refused.0.fatal = error.0.fatal;
                Err(refused)
            }
        }
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
        self.0.data = Json::encode(data).ok().map(ErrorData::of::<E>);
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
        is_error::<E>() || self.decode::<E>().is_some()
    }

    /// The typed error, the same live and on replay. In a workflow, an error that was recorded as an `E` and can no longer be decoded
    /// as one holds the run until code that can decode it is deployed.
    ///
    /// # Errors
    /// The error itself if it is not an `E`: `error.downcast::<ChargeError>()?` returns it to the caller.
    pub fn downcast<E: DeserializeOwned + 'static>(self) -> Result<E, Error> {
        cast(self).or_else(|error| error.decode().ok_or(error))
    }

    /// The typed error, without consuming this one; `None` if it is not an `E`. Like [`downcast`](Error::downcast) it returns what
    /// was recorded, also in the process that made the error: a field that serde skips has its default. It is decoded once, and kept
    /// for further calls.
    ///
    /// ```
    /// use onward_types::Error;
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize)]
    /// enum ChargeError { Declined { cents: u32 }, Away }
    /// # impl std::fmt::Display for ChargeError {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no") }
    /// # }
    /// # impl std::error::Error for ChargeError {}
    ///
    /// fn missing(error: &Error) -> u32 {
    ///     match error.downcast_ref::<ChargeError>() {
    ///         Some(ChargeError::Declined { cents }) => *cents,
    ///         Some(ChargeError::Away) | None => 0,
    ///     }
    /// }
    /// assert_eq!(missing(&Error::typed::<ChargeError>(ChargeError::Declined { cents: 5 }.into())), 5);
    /// assert_eq!(missing(&Error::from_box("no network".into())), 0);
    /// ```
    #[must_use]
    pub fn downcast_ref<E: DeserializeOwned + Send + Sync + 'static>(&self) -> Option<&E> {
        if let Some(itself) = (self as &dyn Any).downcast_ref() {
            return Some(itself);
        }
        if self.0.decoded.get::<E>().is_none() {
            self.0.decoded.put(self.decode::<E>()?);
        }
        self.0.decoded.get()
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
        let Some(data) = self.0.data.as_ref().filter(|data| !is_error::<E>() && data.tag == tag_of::<E>()) else {
            return Ok(None);
        };
        let is_same = data.path.as_deref().is_none_or(|path| path == type_name::<E>());
        within(self.0.reader.clone(), || data.value.decode()).map(Some).map_err(|why| (why, is_same))
    }
}

/// The `E` that an error was made of, if it is still there.
fn live<E: std::error::Error + 'static>(error: &BoxError) -> Option<&E> {
    error.downcast_ref::<E>().or_else(|| error.downcast_ref::<Error>()?.0.live.as_deref()?.downcast_ref())
}

/// Whether the type is [`Error`], which as a typed error is just itself.
fn is_error<E: 'static>() -> bool {
    TypeId::of::<E>() == TypeId::of::<Error>()
}

/// The error as an `E`, if that is [`Error`].
fn cast<E: 'static>(error: Error) -> Result<E, Error> {
    let mut error = Some(error);
    let itself = (&mut error as &mut dyn Any).downcast_mut::<Option<E>>().and_then(Option::take);
    itself.ok_or_else(|| error.expect("it is taken only if the types are the same"))
}

/// What [`Error::downcast_ref`] has decoded: a value for each type that was requested.
#[derive(Default)]
pub(super) struct Decoded(OnceLock<Box<(Box<dyn Any + Send + Sync>, Decoded)>>);

impl Decoded {
    fn get<E: 'static>(&self) -> Option<&E> {
        let (value, others) = &**self.0.get()?;
        value.downcast_ref().or_else(|| others.get())
    }

    fn put<E: Send + Sync + 'static>(&self, value: E) {
        let mut node = Box::new((Box::new(value) as Box<dyn Any + Send + Sync>, Decoded::default()));
        let mut last = self;
        while let Err(back) = last.0.set(node) {
            node = back;
            let Some(taken) = last.0.get() else { return };
            last = &taken.1;
        }
    }
}

impl Clone for Decoded {
    fn clone(&self) -> Decoded {
        Decoded::default()
    }
}

fn tag_of<E>() -> String {
    let name = type_name::<E>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain).to_owned()
}
