//! One opaque error: a message that says what to do next, and a code that never changes.

mod code;
mod json;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use code::Code;
pub use json::Json;

/// Any error: `?` converts every error into it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of workflows, steps and `main`: `?` works on every error in them.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Longer messages are cut: a chain of nested errors must not make a row too large for a database.
const MESSAGE_MAX: usize = 64 * 1024;

/// An error whose message says what went wrong and what to do next. Tell errors apart with the `is_…` methods or by
/// [`code`](Error::code); the message may change.
///
/// ```
/// use onward_types::{Code, Error};
///
/// fn advice(error: &Error) -> &str {
///     match error {
///         error if error.is_transient() => "try again in a moment",
///         error if error.is_conflict() || error.is_deduplicated() => "there is such a run already: wait for that one",
///         error if error.is_timed_out() => "it goes on: wait longer",
///         error if error.is_diverged() => "deploy the code that the run began with, or fork it",
///         error => error.code(),
///     }
/// }
/// # fn is(code: Code, said: &str) -> bool { advice(&Error::new(code, "")).starts_with(said) }
/// assert_eq!(advice(&Error::new(Code::Busy, "the file is locked")), "try again in a moment");
/// # assert!(is(Code::Conflict, "there is") && is(Code::Deduplicated, "there is") && is(Code::TimedOut, "it goes on"));
/// # assert!(is(Code::Diverged, "deploy") && is(Code::UnknownRun, "unknown_run"));
/// ```
pub struct Error(Box<Body>);

#[derive(Clone)]
struct Body {
    code: Code,
    message: String,
    /// The text of the code, if this version does not know it.
    foreign: Option<Box<str>>,
    data: Option<ErrorData>,
    fatal: bool,
    reader: Option<Arc<dyn Reader>>,
}

impl Body {
    fn new(code: Code, message: String) -> Body {
        Body { code, message, foreign: None, data: None, fatal: false, reader: None }
    }
}

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

#[derive(Serialize, Deserialize)]
struct Recorded {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<ErrorData>,
}

impl Error {
    /// Makes an error of this kind with this message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error(Box::new(Body::new(code, clean(message.into()))))
    }

    /// Makes an error that must not be retried: the step that returns it fails at once, whatever its `attempts`.
    ///
    /// ```
    /// use onward_types::Error;
    /// assert!(Error::fatal("card stolen").is_fatal());
    /// ```
    #[must_use]
    pub fn fatal(error: impl Into<BoxError>) -> Error {
        let mut error = Error::from_box(error.into());
        error.0.fatal = true;
        error
    }

    /// Converts any error into an [`Error`]: itself if it is one, else [`Code::Failed`] with its message and those of its sources.
    ///
    /// ```
    /// use onward_types::{Code, Error};
    ///
    /// let error = Error::from_box("no paper".into());
    /// assert_eq!((error.kind(), error.message()), (Code::Failed, "no paper"));
    /// let error = Error::from_box(Error::new(Code::Busy, "locked").into());
    /// assert_eq!(error.kind(), Code::Busy);
    /// ```
    #[must_use]
    pub fn from_box(error: BoxError) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::new(Code::Failed, chain(&*other)),
        }
    }

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

    /// The code of the error as text: one of [`Code`], or one that a newer version of Onward recorded.
    #[must_use]
    pub fn code(&self) -> &str {
        self.0.foreign.as_deref().unwrap_or(self.0.code.as_str())
    }

    /// The code of the error, to match on.
    #[must_use]
    pub fn kind(&self) -> Code {
        self.0.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The recorded form of the typed error, if there is one.
    #[must_use]
    pub fn data(&self) -> Option<&ErrorData> {
        self.0.data.as_ref()
    }

    /// Whether a retry is useless. It is meant for `retry_if` and is not recorded: the error of a step that the workflow
    /// sees is never fatal.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    /// Whether the run was cancelled, by a person or by its deadline.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.code == Code::Cancelled
    }

    /// Whether something took longer than allowed.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.0.code == Code::TimedOut
    }

    /// Whether another run already has the id. `error.downcast::<Taken>()` names it.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.0.code == Code::Conflict
    }

    /// Whether an open run of the queue already has the dedup key. `error.downcast::<Deduplicated>()` names the run.
    #[must_use]
    pub fn is_deduplicated(&self) -> bool {
        self.0.code == Code::Deduplicated
    }

    /// Whether no run has the id.
    #[must_use]
    pub fn is_unknown_run(&self) -> bool {
        self.0.code == Code::UnknownRun
    }

    /// Whether the code made a different durable call than the one recorded (a non-determinism error).
    #[must_use]
    pub fn is_diverged(&self) -> bool {
        self.0.code == Code::Diverged
    }

    /// Whether a retry is likely to succeed: the database is busy or cannot be reached.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.0.code, Code::Busy | Code::Database)
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

/// Makes a text that every database accepts: without NUL, and not longer than [`MESSAGE_MAX`].
fn clean(mut message: String) -> String {
    if message.contains('\0') {
        message = message.replace('\0', "\u{fffd}");
    }
    if message.len() > MESSAGE_MAX {
        let end = (0..=MESSAGE_MAX).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// The message and those of the error's sources, except where the text already ends with the source's message.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let message = inner.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        source = inner.source();
    }
    text
}

fn tag_of<E>() -> String {
    let name = std::any::type_name::<E>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain).to_owned()
}

impl Clone for Error {
    fn clone(&self) -> Error {
        Error(self.0.clone())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// The message and the code, because `main` prints errors this way.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.0.message, self.code())
    }
}

impl std::error::Error for Error {}

/// Adds `.fatal()` to results.
pub trait ResultExt<T> {
    /// Marks the error as [fatal](Error::fatal): it must not be retried.
    ///
    /// # Errors
    /// The marked error.
    fn fatal(self) -> Result<T, Error>;
}

impl<T, E: Into<BoxError>> ResultExt<T> for Result<T, E> {
    fn fatal(self) -> Result<T, Error> {
        self.map_err(Error::fatal)
    }
}

#[cfg(test)]
mod tests;
