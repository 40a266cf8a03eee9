//! Which errors are recorded with their data: those of a type that a step or a workflow declares.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::typed::Decoded;
use super::{BoxError, Error, Result};

/// An error type that can be recorded and read back as the same type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come back typed",
    label = "not a recordable error",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or return `onward::Result<T>`, which takes any error"
)]
pub trait Failure: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static> Failure for E {}

/// The type of the errors that come back typed: see [`Failure`].
///
/// ```
/// # use onward_types::{Error, ErrorType};
/// assert_eq!(format!("{:?}", ErrorType::any()), "any error");
/// assert_eq!(format!("{:?}", ErrorType::of::<Error>()), "onward_types::error::Error");
/// ```
#[derive(Clone, Copy)]
pub struct ErrorType {
    record: fn(BoxError) -> Result<Error, Error>,
    check: fn(&Error) -> Result<(), (Error, bool)>,
    name: fn() -> &'static str,
}

impl ErrorType {
    /// Any error: it is recorded with its code and its message.
    #[must_use]
    pub const fn any() -> ErrorType {
        ErrorType { record: |error| Ok(Error::from_box(error)), check: |_| Ok(()), name: || "any error" }
    }

    /// Errors of type `E` are recorded with their data; all others with their code and their message.
    #[must_use]
    pub const fn of<E: Failure>() -> ErrorType {
        ErrorType {
            record: Error::try_typed::<E>,
            check: |error| error.read_as::<E>().map(drop),
            name: std::any::type_name::<E>,
        }
    }

    /// The error as it is recorded.
    ///
    /// # Errors
    /// [`Code::Encode`](super::Code::Encode) if the error has the type but cannot be encoded.
    #[doc(hidden)]
    pub fn record(&self, error: BoxError) -> Result<Error, Error> {
        let mut error = (self.record)(error)?;
        // Their drops are user code.
        error.0.live = None;
        error.0.decoded = Decoded::default();
        Ok(error)
    }

    /// Whether a recorded error of this type can be decoded as the type.
    ///
    /// # Errors
    /// Why not, and whether exactly that type recorded it.
    #[doc(hidden)]
    pub fn check(&self, error: &Error) -> Result<(), (Error, bool)> {
        (self.check)(error)
    }
}

impl Default for ErrorType {
    fn default() -> ErrorType {
        ErrorType::any()
    }
}

impl std::fmt::Debug for ErrorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str((self.name)())
    }
}
