//! The one error of this crate: a sentence for the person at the terminal, and the one question a program asks.

use std::{fmt, io};

/// What went wrong with a test database, and what to do about it.
#[derive(Debug)]
pub struct Error {
    sentence: String,
    missing: bool,
}

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), missing: false }
    }

    pub(crate) fn missing(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), missing: true }
    }

    /// For `map_err`: what was tried when the operating system said no.
    pub(crate) fn io(tried: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(format!("cannot {tried}: {error}"))
    }

    /// Is PostgreSQL not installed here? Then installing it helps, and trying again does not.
    pub fn is_missing(&self) -> bool {
        self.missing
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Error {}
