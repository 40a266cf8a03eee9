//! Retention: how long runs that have ended are kept.

use std::time::Duration;

use crate::{Code, Error};

/// Which runs that have ended are kept. One that is too old, or that more than `max_count` newer ones of its workflow have
/// ended after, is deleted with all that it recorded. A run that has not ended is never deleted, nor one that a run that has
/// not ended may still ask for its result, nor one with a child that has not ended.
///
/// A run that was cancelled or given up (`retries_exceeded`) has ended like any other and goes with them, although `resume` could
/// bring it back until then: resume what is to go on, or export what is to be kept, before it is that old. A run that is held
/// (`paused`) has not ended, and is kept for as long as it is.
///
/// ```
/// use std::time::Duration;
/// use onward_types::Retention;
/// let month = Duration::from_secs(30 * 86_400);
/// let rule = Retention { workflow: Some("report".into()), max_age: Some(month), ..Retention::default() };
/// assert!(rule.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The runs of which workflow; none means every workflow, each by itself.
    pub workflow: Option<String>,
    /// How long a run is kept after it has ended.
    pub max_age: Option<Duration>,
    /// How many runs of one workflow that have ended are kept.
    pub max_count: Option<u64>,
}

impl Retention {
    /// That it deletes anything at all.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a rule with neither an age nor a count.
    pub fn check(&self) -> Result<(), Error> {
        if self.max_age.is_some() || self.max_count.is_some() {
            return Ok(());
        }
        let message = "a retention keeps everything: give it a `max_age`, a `max_count`, or both";
        Err(Error::new(Code::Invalid, message))
    }
}
