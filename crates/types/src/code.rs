//! Error codes: one word for each kind of error, the same in every language.

use std::fmt;
use std::str::FromStr;

use crate::Error;

macro_rules! codes {
    ($($variant:ident $text:literal $doc:literal,)*) => {
        /// What kind of error it is. The text of a code is the same in Rust, over HTTP and in every client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The text of the code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }
        }
    };
}

codes! {
    Failed "failed" "A step or a run ended with an error of the user's own.",
    Panicked "panicked" "A step or a workflow panicked.",
    TimedOut "timed_out" "Something took longer than it was allowed to.",
    Cancelled "cancelled" "The run was cancelled, by a person or by its deadline.",
    RetriesExceeded "retries_exceeded" "The run crashed its executor too often and was given up; it can be resumed.",
    Diverged "diverged" "What was recorded does not match what the code asks for.",
    Held "held" "The run is paused, because going on would lose something.",
    UnknownRun "unknown_run" "No run has that id.",
    UnknownQueue "unknown_queue" "There is no queue of that name.",
    UnknownSchedule "unknown_schedule" "No schedule has that id.",
    Conflict "conflict" "The id is taken by another workflow or another input.",
    Deduplicated "deduplicated" "An open run of the queue has the dedup; the data of the error names it.",
    NotRegistered "not_registered" "This executor was not given that workflow.",
    IllegalMove "illegal_move" "A run in that state cannot do that.",
    Closed "closed" "What was written to is closed.",
    UnknownHook "unknown_hook" "No hook has that token.",
    Gone "gone" "The run that would take it has ended.",
    UnknownMessage "unknown_message" "The run has no such message.",
    Nested "nested" "A durable call was made inside a step.",
    OutsideRun "outside_run" "A durable call was polled outside the task of its run.",
    MissingState "missing_state" "The workflow asked for state that was not given.",
    Invalid "invalid" "An argument cannot be accepted.",
    Encode "encode" "A value cannot be encoded.",
    Decode "decode" "A recorded value cannot be decoded.",
    Corrupt "corrupt" "A row in the database cannot be understood.",
    Database "database" "The database refused or could not be reached.",
    Busy "busy" "Another process has the database, or the row; try again.",
    Schema "schema" "The database was written by a version that this one cannot work with.",
    Fenced "fenced" "This executor lost its lease and was replaced.",
    Stopped "stopped" "The executor is shutting down.",
    Unknown "unknown" "A newer version of Onward recorded it, and this one does not know the code: `Error::code` has its text.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = Error;

    fn from_str(text: &str) -> Result<Code, Error> {
        let found = Code::ALL.iter().find(|code| code.as_str() == text);
        found.copied().ok_or_else(|| Error::new(Code::Corrupt, format!("`{text}` is no error code")))
    }
}
