//! What becomes of a child when its parent ends.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// What becomes of a child when the run that started it ends. Without one, the child is cancelled if its parent is cancelled, and
/// goes on if its parent succeeds, fails or is given up.
///
/// ```
/// # use onward_types::ParentEnd;
/// assert_eq!("cancel".parse::<ParentEnd>()?, ParentEnd::Cancel);
/// assert_eq!(ParentEnd::Wait.as_str(), "wait");
/// assert!("kill".parse::<ParentEnd>().unwrap_err().message().contains("cancel, leave, wait"));
/// # Ok::<(), onward_types::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParentEnd {
    /// The child is cancelled, with everything that it started, however its parent ends. A failed attempt of the parent is an end
    /// in this sense.
    Cancel,
    /// The child goes on, even if its parent is cancelled or has passed its deadline.
    Leave,
    /// The parent waits: once its workflow has returned, it ends when the child has ended. If the parent is cancelled, the child is
    /// cancelled with it.
    Wait,
}

impl ParentEnd {
    const ALL: [ParentEnd; 3] = [ParentEnd::Cancel, ParentEnd::Leave, ParentEnd::Wait];

    /// Its name in tables, in JSON and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ParentEnd::Cancel => "cancel",
            ParentEnd::Leave => "leave",
            ParentEnd::Wait => "wait",
        }
    }
}

impl fmt::Display for ParentEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ParentEnd {
    type Err = Error;

    fn from_str(text: &str) -> Result<ParentEnd, Error> {
        ParentEnd::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| {
            let all = ParentEnd::ALL.map(ParentEnd::as_str).join(", ");
            Error::new(Code::Invalid, format!("`{text}` is not what becomes of a child: use one of {all}"))
        })
    }
}
