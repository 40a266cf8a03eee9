//! Retention: how long runs that have ended are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::millis;
use crate::{Code, Error};

/// A rule that says which ended runs are kept. A run is deleted with everything it recorded when it ended longer than `max_age`
/// ago, or when at least `max_count` runs of its workflow have ended after it. Three kinds of run are never deleted: a run that
/// has not ended, one whose result an open run may still need, and one with an open child.
///
/// A run that was cancelled or given up (`retries_exceeded`) has ended and is deleted like any other, although it could have been
/// resumed until then: resume it or export it before it is that old. A run that is held (`paused`) has not ended and is kept.
///
/// ```
/// use std::time::Duration;
/// use onward_types::Retention;
/// let month = Duration::from_secs(30 * 86_400);
/// let rule = Retention { workflow: Some("report".into()), max_age: Some(month), ..Retention::default() };
/// assert!(rule.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The workflow whose runs it applies to; `None` applies it to each workflow separately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// How long a run is kept after it ended.
    #[serde(rename = "max_age_ms", with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// How many ended runs of one workflow are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_count: Option<u64>,
}

impl Retention {
    /// Checks that the rule deletes anything at all.
    ///
    /// # Errors
    /// [`Code::Invalid`] if it has neither an age nor a count.
    pub fn check(&self) -> Result<(), Error> {
        if self.max_age.is_some() || self.max_count.is_some() {
            return Ok(());
        }
        let message = "a retention rule has no limit, so it deletes nothing: set `max_age`, `max_count`, or both";
        Err(Error::new(Code::Invalid, message))
    }
}
