//! The life cycle of a run: its states, the moves between them, and the names of the states in four other systems.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// The state of a run. Four of them are terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Starts at a later time, or pauses before its next attempt.
    Delayed,
    /// Waits to be claimed by an executor.
    Enqueued,
    /// An executor owns it, or it is parked (suspended) until what it waits for happens.
    Running,
    /// Paused by a person, or held because continuing would lose something. The reason says why.
    Paused,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a person or by its deadline. The reason says which.
    Cancelled,
    /// Given up because it crashed its executor too often. It can be resumed.
    RetriesExceeded,
}

/// Who makes a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person or program that manages the run, by a handle, a client or the command line.
    Client,
    /// The executor that owns the run.
    Owner,
    /// An executor that claims a waiting run.
    Claimer,
    /// The sweep that cancels runs past their deadline.
    Canceller,
    /// The sweep that releases the runs of dead executors.
    Recoverer,
}

/// One legal move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The state before.
    pub from: Status,
    /// The state after.
    pub to: Status,
    /// Who may make it.
    pub by: Actor,
}

const fn may(from: Status, to: Status, by: Actor) -> Move {
    Move { from, to, by }
}

use Actor::{Canceller, Claimer, Client, Owner, Recoverer};
use Status::{Cancelled, Delayed, Enqueued, Failed, Paused, RetriesExceeded, Running, Succeeded};

/// Every legal move. A move that is not in this table never happens.
pub const MOVES: &[Move] = &[
    may(Delayed, Enqueued, Claimer),
    may(Delayed, Running, Claimer),
    may(Delayed, Paused, Client),
    may(Delayed, Cancelled, Client),
    may(Delayed, Cancelled, Canceller),
    may(Enqueued, Running, Claimer),
    may(Enqueued, Paused, Client),
    may(Enqueued, Cancelled, Client),
    may(Enqueued, Cancelled, Canceller),
    may(Running, Succeeded, Owner),
    may(Running, Failed, Owner),
    // An attempt has failed, and the next one begins after a pause.
    may(Running, Delayed, Owner),
    may(Running, Paused, Owner),
    may(Running, Paused, Client),
    may(Running, Cancelled, Client),
    may(Running, Cancelled, Canceller),
    may(Running, RetriesExceeded, Recoverer),
    may(Paused, Enqueued, Client),
    // An imported run whose start time has not come.
    may(Paused, Delayed, Client),
    may(Paused, Cancelled, Client),
    may(Paused, Cancelled, Canceller),
    may(Cancelled, Enqueued, Client),
    may(RetriesExceeded, Enqueued, Client),
    may(RetriesExceeded, Cancelled, Client),
];

impl Status {
    /// All states, in life-cycle order.
    pub const ALL: [Status; 8] = [Delayed, Enqueued, Running, Paused, Succeeded, Failed, Cancelled, RetriesExceeded];

    /// Whether `by` may move a run from this state to `to`.
    ///
    /// ```
    /// use onward_types::{Actor, Status};
    ///
    /// assert!(Status::Paused.may_become(Status::Enqueued, Actor::Client));
    /// assert!(!Status::Succeeded.may_become(Status::Running, Actor::Owner));
    /// ```
    #[must_use]
    pub fn may_become(self, to: Status, by: Actor) -> bool {
        MOVES.contains(&may(self, to, by))
    }

    /// Whether a run in this state has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Succeeded | Failed | Cancelled | RetriesExceeded)
    }

    /// Onward's own name for the state: in tables, on the command line and over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Delayed => "delayed",
            Enqueued => "enqueued",
            Running => "running",
            Paused => "paused",
            Succeeded => "succeeded",
            Failed => "failed",
            Cancelled => "cancelled",
            RetriesExceeded => "retries_exceeded",
        }
    }

    /// DBOS's name for the state.
    #[must_use]
    pub const fn dbos(self) -> &'static str {
        match self {
            Delayed => "DELAYED",
            Enqueued => "ENQUEUED",
            Running | Paused => "PENDING",
            Succeeded => "SUCCESS",
            Failed => "ERROR",
            Cancelled => "CANCELLED",
            RetriesExceeded => "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
        }
    }

    /// The states for a DBOS name, to filter by that name. Empty if DBOS has no such name.
    ///
    /// ```
    /// use onward_types::Status;
    ///
    /// assert_eq!(Status::of_dbos("PENDING"), [Status::Running, Status::Paused]);
    /// ```
    #[must_use]
    pub fn of_dbos(name: &str) -> Vec<Status> {
        let known = if name == "RETRIES_EXCEEDED" { "MAX_RECOVERY_ATTEMPTS_EXCEEDED" } else { name };
        Status::ALL.into_iter().filter(|status| status.dbos() == known).collect()
    }

    /// horsies' name for the state. `by_deadline`: the run's deadline ended it, which horsies calls `EXPIRED`.
    #[must_use]
    pub const fn horsies(self, by_deadline: bool) -> &'static str {
        match self {
            Delayed | Enqueued => "PENDING",
            Running => "RUNNING",
            Paused => "PAUSED",
            Succeeded => "COMPLETED",
            Failed | RetriesExceeded => "FAILED",
            Cancelled if by_deadline => "EXPIRED",
            Cancelled => "CANCELLED",
        }
    }

    /// Vercel Workflow's name for the state.
    #[must_use]
    pub const fn vercel(self) -> &'static str {
        match self {
            Delayed | Enqueued => "pending",
            Running | Paused => "running",
            Succeeded => "completed",
            Failed | RetriesExceeded => "failed",
            Cancelled => "cancelled",
        }
    }

    /// Retab's name for the state. `for_a_person`: the run waits only for a person.
    #[must_use]
    pub const fn retab(self, for_a_person: bool) -> &'static str {
        match self {
            Delayed | Enqueued => "pending",
            Running if for_a_person => "waiting_for_human",
            Running | Paused => "running",
            Succeeded => "completed",
            Failed | RetriesExceeded => "error",
            Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Status, Error> {
        Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let all = Status::ALL.map(Status::as_str).join(", ");
            Error::new(Code::Invalid, format!("`{text}` is not the state of a run: use one of {all}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_name_that_reads_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>().unwrap(), status);
        }
    }

    #[test]
    fn what_succeeded_or_failed_never_moves_again() {
        assert!(MOVES.iter().all(|it| !matches!(it.from, Succeeded | Failed)));
    }

    #[test]
    fn every_state_but_the_first_two_can_be_reached() {
        for status in Status::ALL {
            assert!(status == Delayed || MOVES.iter().any(|it| it.to == status), "{status}");
        }
    }
}
