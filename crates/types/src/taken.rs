//! What a caller learns who was refused because another run has the id, the token or the key.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, RunId};

/// The run that has what was requested. The data of an error with [`Code::Conflict`], [`Code::TokenTaken`] or
/// [`Code::KeyReused`].
///
/// ```
/// use onward_types::{Code, RunId, Taken};
/// let error = Taken::by(&RunId::new("order-17").unwrap()).refused(Code::TokenTaken, "the token `pay` is taken");
/// assert_eq!(error.downcast::<Taken>().unwrap().run.as_str(), "order-17");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Taken {
    /// The run that has it.
    pub run: RunId,
}

impl Taken {
    /// Taken by this run.
    #[must_use]
    pub fn by(run: &RunId) -> Taken {
        Taken { run: run.clone() }
    }

    /// Makes the error for the caller.
    #[must_use]
    pub fn refused(self, code: Code, message: impl Into<String>) -> Error {
        Error::new(code, message).with_data(&self)
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "taken by run {:?}", self.run)
    }
}

impl std::error::Error for Taken {}
