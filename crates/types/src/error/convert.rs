//! What `?` and `into` convert into an [`Error`], for functions that return `Result<T, Error>`.

use super::{BoxError, Code, Error};

/// See [`Error::from_box`].
///
/// ```
/// use onward_types::{Error, Result};
///
/// fn cents(text: &str) -> Result<u64> {
///     Ok(text.parse()?)
/// }
/// fn price(text: &str) -> Result<u64, Error> {
///     let cents = cents(text)?;
///     if cents == 0 { Err("nothing is free".into()) } else { Ok(cents) }
/// }
/// assert_eq!(price("0").unwrap_err().message(), "nothing is free");
/// assert_eq!(price("five").unwrap_err().message(), "invalid digit found in string");
/// ```
impl From<BoxError> for Error {
    fn from(error: BoxError) -> Error {
        Error::from_box(error)
    }
}

/// [`Code::Failed`] with this message.
impl From<&str> for Error {
    fn from(message: &str) -> Error {
        Error::new(Code::Failed, message)
    }
}

/// [`Code::Failed`] with this message.
impl From<String> for Error {
    fn from(message: String) -> Error {
        Error::new(Code::Failed, message)
    }
}
