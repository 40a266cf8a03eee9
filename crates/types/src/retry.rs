//! The attempts of a whole run: how many there are, and how long the run pauses before the next one.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::millis;
use crate::{Code, Error, Json};

/// How often a run is attempted. A run that fails is executed again under its id, with its input and with nothing recorded, until
/// an attempt succeeds or none is left. What is not given is that of the workflow.
///
/// ```
/// # use std::time::Duration;
/// # use onward_types::Retry;
/// let retry: Retry = serde_json::from_str(r#"{"attempts":3,"backoff_ms":[1000,60000]}"#)?;
/// assert_eq!(retry.attempts, Some(3));
/// assert_eq!(retry.backoff, Some(Duration::from_secs(1)..Duration::from_secs(60)));
/// assert!(retry.check().is_ok() && Retry { attempts: Some(0), ..retry }.check().is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// The maximum number of attempts, the first one included; 1 for no retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The first and the longest pause. A pause is twice as long as the one before, and half of it is random. In JSON: two numbers
    /// of whole milliseconds, as `backoff_ms`.
    #[serde(rename = "backoff_ms", with = "millis::range", skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Range<Duration>>,
}

impl Retry {
    /// Accept it if there is at least one attempt and the first pause is not longer than the longest.
    ///
    /// # Errors
    /// [`Code::Invalid`], naming what is wrong.
    pub fn check(&self) -> Result<(), Error> {
        if self.attempts == Some(0) {
            return Err(Error::new(Code::Invalid, "a run is attempted at least once: give 1 or more attempts"));
        }
        match &self.backoff {
            Some(Range { start, end }) if start > end => {
                let message = format!("the first pause, {start:?}, is longer than the longest, {end:?}: exchange them");
                Err(Error::new(Code::Invalid, message))
            }
            _ => Ok(()),
        }
    }
}

/// An attempt after the first one, as it is recorded with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrying {
    /// The number of the attempt, from 2.
    pub attempt: u32,
    /// How many attempts there are.
    pub of: u32,
    /// The error with which the attempt before failed.
    pub error: Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let of = |retry: Retry| retry.check().map_err(|error| error.message().to_owned());
        assert!(of(Retry { attempts: Some(0), ..Retry::default() }).unwrap_err().starts_with("a run is attempted"));
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(2));
        assert!(of(Retry { backoff: Some(long..short), ..Retry::default() }).is_err());
        assert_eq!(of(Retry { attempts: Some(1), backoff: Some(short..short) }), Ok(()));
    }
}
