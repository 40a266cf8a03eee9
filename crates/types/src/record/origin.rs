//! Where a run comes from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// Where a run comes from: recorded when it is created, and never changed.
///
/// ```
/// # use onward_types::Origin;
/// assert_eq!("scheduled".parse::<Origin>()?, Origin::Scheduled);
/// # Ok::<(), onward_types::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// A client started or enqueued it.
    #[default]
    Started,
    /// A schedule started it, at a tick or because it was triggered.
    Scheduled,
    /// Another run started it.
    Child,
    /// It was forked from a later position of another run.
    Forked,
    /// It was forked from the beginning of another run.
    Restarted,
    /// It was imported from a file.
    Imported,
    /// It was started for the last of many debounced inputs.
    Debounced,
    /// It was started for a batch of inputs.
    Batched,
}

impl Origin {
    /// Every origin.
    pub const ALL: &'static [Origin] = &[
        Origin::Started,
        Origin::Scheduled,
        Origin::Child,
        Origin::Forked,
        Origin::Restarted,
        Origin::Imported,
        Origin::Debounced,
        Origin::Batched,
    ];

    /// The name in tables, in JSON and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Started => "started",
            Origin::Scheduled => "scheduled",
            Origin::Child => "child",
            Origin::Forked => "forked",
            Origin::Restarted => "restarted",
            Origin::Imported => "imported",
            Origin::Debounced => "debounced",
            Origin::Batched => "batched",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Origin, Error> {
        Origin::ALL.iter().copied().find(|origin| origin.as_str() == text).ok_or_else(|| {
            let all: Vec<&str> = Origin::ALL.iter().map(|origin| origin.as_str()).collect();
            Error::new(Code::Invalid, format!("`{text}` is not an origin of a run: it is one of {}", all.join(", ")))
        })
    }
}
