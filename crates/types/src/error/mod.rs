//! One opaque error: a message that says what to do next, and a code that never changes.

mod code;
mod convert;
mod failure;
mod json;
mod recorded;
mod typed;

use std::fmt;
use std::sync::Arc;

pub use code::Code;
pub use failure::{ErrorType, Failure};
pub use json::Json;
use typed::Decoded;
pub use typed::{ErrorData, Reader};

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
    /// The error that was marked as fatal, until it is recorded: its type may turn out to be one that comes back typed.
    live: Option<Arc<dyn std::error::Error + Send + Sync>>,
    decoded: Decoded,
}

impl Body {
    fn new(code: Code, message: String) -> Body {
        Body {
            code,
            message,
            foreign: None,
            data: None,
            fatal: false,
            reader: None,
            live: None,
            decoded: Decoded::default(),
        }
    }
}

impl Error {
    /// Makes an error of this kind with this message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error(Box::new(Body::new(code, clean(message.into()))))
    }

    /// Makes an error that must not be retried: the step that returns it fails at once, whatever its `attempts`. A step or a workflow
    /// that declares the type of the error records it with its data, as if it had not been marked.
    ///
    /// ```
    /// use onward_types::Error;
    /// assert!(Error::fatal("card stolen").is_fatal());
    /// ```
    #[must_use]
    pub fn fatal(error: impl Into<BoxError>) -> Error {
        let mut error = match error.into().downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => {
                let mut error = Error::new(Code::Failed, chain(&*other));
                error.0.live = Some(other.into());
                error
            }
        };
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
