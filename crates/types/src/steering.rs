//! Who managed a run, a queue or a schedule, how and why: as data, and as a sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, RunId, Timestamp, check_name};

/// The maximum length of a reason, in bytes.
pub const REASON_MAX: usize = 2_048;

/// One act on a run, a queue or a schedule: what was done, by whom, why and when.
///
/// ```
/// use onward_types::{Attribution, RunId, Steering, SteeringAction, Timestamp};
///
/// let ann = Attribution { by: Some("ann".into()), reason: Some("duplicate".into()), ..Attribution::default() };
/// let cancel = Steering::new(SteeringAction::Cancel, &ann, Timestamp::UNIX_EPOCH);
/// assert_eq!(cancel.to_string(), "cancelled by ann: \"duplicate\"");
///
/// let child = cancel.with(&RunId::new("order-3")?);
/// assert_eq!(child.to_string(), "cancelled with run `order-3`, cancelled by ann: \"duplicate\"");
/// # Ok::<(), onward_types::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Steering {
    /// What was done.
    pub action: SteeringAction,
    /// What kind of actor did it.
    pub initiator: Initiator,
    /// Who did it: the name that the client gave, or the id of the run whose workflow did it, or of the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The reason that was given; for a run that its executor holds, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The run on which it was done, if this one changed with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<RunId>,
    /// The deadline that had passed.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// When.
    #[serde(with = "crate::wire::instant")]
    pub at: Timestamp,
}

/// One entry in the history of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SteeringRecord {
    /// Its number in the history, from 1.
    pub seq: u64,
    /// What was done, by whom, why and when.
    #[serde(flatten)]
    pub steering: Steering,
}

impl SteeringRecord {
    /// An entry.
    #[must_use]
    pub fn new(seq: u64, steering: Steering) -> SteeringRecord {
        SteeringRecord { seq, steering }
    }
}

/// What was done to a run; of a queue or a schedule, only that it was paused or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SteeringAction {
    /// It was cancelled.
    Cancel,
    /// It was paused, held or imported.
    Pause,
    /// It was resumed.
    Resume,
    /// It was started before its turn.
    StartNow,
    /// Its sleeps were ended.
    WakeUp,
    /// Its start time was changed.
    SetDelay,
}

/// What kind of actor managed a run, a queue or a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initiator {
    /// A person or program, by a handle, a client or the command line.
    #[default]
    Client,
    /// The workflow of the run that [`Steering::by`] names; without a name the workflow of this run, which paused it.
    Run,
    /// The deadline of the run, or of the run named by [`Steering::with`].
    Deadline,
    /// The executor that owned the run: it held the run because continuing would have lost something.
    Executor,
    /// Its schedule: the next tick was due.
    Schedule,
    /// The import of the run from a file: a run that had not ended is paused when it arrives.
    Import,
}

/// Who acts on a run, a queue or a schedule, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// What kind of actor it is.
    #[serde(default)]
    pub initiator: Initiator,
    /// Its name, or the id of the run that acts: 1 to 512 bytes without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why: 1 to 2,048 bytes without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The deadline that has passed.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

impl Attribution {
    /// The workflow of this run acts.
    #[must_use]
    pub fn run(id: &RunId) -> Attribution {
        Attribution { initiator: Initiator::Run, by: Some(id.to_string()), ..Attribution::default() }
    }

    /// This deadline has passed.
    #[doc(hidden)]
    #[must_use]
    pub fn deadline(deadline: Timestamp) -> Attribution {
        Attribution { initiator: Initiator::Deadline, deadline: Some(deadline), ..Attribution::default() }
    }

    /// Accepts what every database can store and one line can show.
    ///
    /// # Errors
    /// [`Code::Invalid`](crate::Code::Invalid), if the actor's name or the reason is empty, too long, or contains a control
    /// character.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(by) = &self.by {
            check_name("name of who acts (`by`)", by)?;
        }
        let Some(reason) = &self.reason else { return Ok(()) };
        let invalid = |why: String| Err(Error::new(Code::Invalid, format!("the reason {why}")));
        if reason.trim().is_empty() {
            return invalid("is empty: give one, or leave it out".to_owned());
        }
        if reason.len() > REASON_MAX {
            return invalid(format!("has {} bytes: use at most {REASON_MAX}", reason.len()));
        }
        match reason.chars().find(|c| c.is_control()) {
            Some(control) => invalid(format!("contains the control character {control:?}: use one line of text")),
            None => Ok(()),
        }
    }
}

impl Steering {
    /// An act at this time.
    #[must_use]
    pub fn new(action: SteeringAction, who: &Attribution, at: Timestamp) -> Steering {
        let Attribution { initiator, by, reason, deadline } = who.clone();
        Steering { action, initiator, by, reason, with: None, deadline, at }
    }

    /// The same act on a run that changed with the run `root`.
    #[must_use]
    pub fn with(&self, root: &RunId) -> Steering {
        Steering { with: Some(self.with.clone().unwrap_or_else(|| root.clone())), ..self.clone() }
    }

    /// Whether the run's deadline, or that of the run with which it was cancelled, ended it. It answers the question that
    /// [`Status::horsies`](crate::Status::horsies) needs.
    ///
    /// ```
    /// use onward_types::{Attribution, Status, Steering, SteeringAction, Timestamp};
    ///
    /// let by_ann = Attribution { by: Some("ann".into()), ..Attribution::default() };
    /// let cancel = Steering::new(SteeringAction::Cancel, &by_ann, Timestamp::UNIX_EPOCH);
    /// assert!(!cancel.is_by_deadline());
    ///
    /// // The names of the state in other systems.
    /// let status = Status::Cancelled;
    /// assert_eq!(status.horsies(cancel.is_by_deadline()), "CANCELLED");
    /// assert_eq!((status.dbos(), status.vercel(), status.retab(false)), ("CANCELLED", "cancelled", "cancelled"));
    /// ```
    #[must_use]
    pub fn is_by_deadline(&self) -> bool {
        self.initiator == Initiator::Deadline
    }
}

impl SteeringAction {
    /// The action as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SteeringAction::Cancel => "cancel",
            SteeringAction::Pause => "pause",
            SteeringAction::Resume => "resume",
            SteeringAction::StartNow => "start_now",
            SteeringAction::WakeUp => "wake_up",
            SteeringAction::SetDelay => "set_delay",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            SteeringAction::Cancel => "cancelled",
            SteeringAction::Pause => "paused",
            SteeringAction::Resume => "resumed",
            SteeringAction::StartNow => "started now",
            SteeringAction::WakeUp => "woken up",
            SteeringAction::SetDelay => "rescheduled",
        }
    }
}

impl fmt::Display for SteeringAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The sentence: `cancelled by ann: "duplicate"`.
impl fmt::Display for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.action.done();
        if let Some(root) = &self.with {
            write!(f, "{done} with run `{root}`")?;
            match (self.deadline, &self.by, &self.reason) {
                (Some(deadline), ..) => return write!(f, ", whose deadline {deadline} has passed"),
                (None, None, None) => return Ok(()),
                _ => write!(f, ", {done}")?,
            }
        } else {
            match (self.initiator, self.deadline) {
                (Initiator::Deadline, Some(deadline)) => {
                    return write!(f, "{done}: its deadline {deadline} has passed");
                }
                (Initiator::Executor, _) => f.write_str("held by its executor")?,
                (Initiator::Import, _) => f.write_str("imported")?,
                _ => f.write_str(done)?,
            }
        }
        match (self.initiator, &self.by) {
            (Initiator::Schedule, Some(schedule)) => {
                return write!(f, ": the next tick of its schedule `{schedule}` was due");
            }
            (Initiator::Run, Some(run)) => write!(f, " by run `{run}`")?,
            (_, Some(by)) => write!(f, " by {by}")?,
            (_, None) => {}
        }
        match &self.reason {
            Some(reason) if self.initiator == Initiator::Executor => write!(f, ": {reason}"),
            Some(reason) => write!(f, ": \"{reason}\""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(who: &Attribution, root: Option<&str>) -> String {
        let steering = Steering::new(SteeringAction::Cancel, who, Timestamp::UNIX_EPOCH);
        root.map_or_else(|| steering.to_string(), |root| steering.with(&RunId::recorded(root.to_owned())).to_string())
    }

    #[test]
    fn a_sentence_says_who_and_why_as_far_as_known() {
        let nobody = Attribution::default();
        let ann = Attribution { by: Some("ann".to_owned()), ..Attribution::default() };
        let why = Attribution { reason: Some("duplicate".to_owned()), ..Attribution::default() };
        let run = Attribution::run(&RunId::recorded("saga-1".to_owned()));
        let late = Attribution::deadline(Timestamp::UNIX_EPOCH);
        assert_eq!(said(&nobody, None), "cancelled");
        assert_eq!(said(&ann, None), "cancelled by ann");
        assert_eq!(said(&why, None), "cancelled: \"duplicate\"");
        assert_eq!(said(&run, None), "cancelled by run `saga-1`");
        assert_eq!(said(&late, None), "cancelled: its deadline 1970-01-01T00:00:00Z has passed");
        assert_eq!(said(&nobody, Some("root")), "cancelled with run `root`");
        assert_eq!(said(&why, Some("root")), "cancelled with run `root`, cancelled: \"duplicate\"");
        assert_eq!(
            said(&late, Some("root")),
            "cancelled with run `root`, whose deadline 1970-01-01T00:00:00Z has passed"
        );
    }

    #[test]
    fn a_run_that_changes_with_a_child_of_the_root_names_the_root() {
        let steering = Steering::new(SteeringAction::Cancel, &Attribution::default(), Timestamp::UNIX_EPOCH);
        let id = |id: &str| RunId::recorded(id.to_owned());
        assert_eq!(steering.with(&id("root")).with(&id("child")).with, Some(id("root")));
    }

    #[test]
    fn what_is_not_known_is_absent_in_json() {
        let steering = Steering::new(SteeringAction::StartNow, &Attribution::default(), Timestamp::UNIX_EPOCH);
        let json = serde_json::to_value(&steering).unwrap();
        let expected =
            serde_json::json!({"action": "start_now", "initiator": "client", "at": "1970-01-01T00:00:00.000000Z"});
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Steering>(json).unwrap(), steering);
    }

    #[test]
    fn a_name_and_a_reason_are_one_line_of_limited_length() {
        let long = "x".repeat(REASON_MAX + 1);
        for (by, reason, why) in [
            (Some(""), None, "is empty"),
            (Some("a\nb"), None, "control character"),
            (None, Some(" "), "is empty"),
            (None, Some("a\nb"), "control character"),
            (None, Some(long.as_str()), "at most 2048"),
        ] {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let who = Attribution { by: text(by), reason: text(reason), ..Attribution::default() };
            let error = who.check().unwrap_err();
            assert!(error.kind() == Code::Invalid && error.message().contains(why), "{error}");
        }
        assert!(Attribution { reason: Some("x".repeat(REASON_MAX)), ..Attribution::default() }.check().is_ok());
    }
}
