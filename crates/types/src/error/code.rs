//! Error codes: one name for each kind of error, the same in every language.

use std::fmt;
use std::str::FromStr;

use super::Error;

macro_rules! codes {
    ($($variant:ident $text:literal $doc:literal,)*) => {
        /// The kind of an error. The text of a code is the same in Rust, over HTTP and in every client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// All codes.
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
    Failed "failed" "A step or a run returned an error.",
    Panicked "panicked" "A step or a workflow panicked.",
    TimedOut "timed_out" "Something took longer than allowed.",
    Cancelled "cancelled" "The run was cancelled, by a person or by its deadline.",
    RetriesExceeded "retries_exceeded" "The run crashed its executor too often and was given up; it can be resumed.",
    Diverged "diverged" "The code made a different durable call than the one recorded: a non-determinism error.",
    Held "held" "The run is paused: continuing would lose something, or it has paused itself.",
    UnknownRun "unknown_run" "No run has that id.",
    UnknownQueue "unknown_queue" "No queue has that name.",
    UnknownSchedule "unknown_schedule" "No schedule has that id.",
    Conflict "conflict" "A run of another workflow or with another input already has that id.",
    Deduplicated "deduplicated" "An open run of the queue already has that dedup key; the error's data names the run.",
    NotRegistered "not_registered" "The workflow is not registered with this executor.",
    IllegalMove "illegal_move" "That is not possible in the run's current state.",
    Closed "closed" "The stream is closed.",
    UnknownHook "unknown_hook" "No hook has that token.",
    Gone "gone" "The run that should receive it has ended.",
    UnknownMessage "unknown_message" "The run has no such message.",
    Nested "nested" "A durable call was made inside a step.",
    OutsideRun "outside_run" "A durable call was polled outside the task of its run.",
    MissingState "missing_state" "The workflow uses state that was not provided.",
    Invalid "invalid" "An argument is not valid.",
    Encode "encode" "A value cannot be encoded.",
    Decode "decode" "A recorded value cannot be decoded.",
    Corrupt "corrupt" "A row in the database cannot be understood.",
    Database "database" "The database could not be reached or refused the operation.",
    Busy "busy" "Another process has locked the database or the row; try again.",
    Schema "schema" "The database was written by a version of Onward that this one cannot work with.",
    Fenced "fenced" "This executor lost its lease and was replaced.",
    Stopped "stopped" "The executor is shutting down.",
    Unknown "unknown" "A newer version of Onward recorded a code that this one does not know: `Error::code` has its text.",
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
        found.copied().ok_or_else(|| Error::new(Code::Corrupt, format!("`{text}` is not an error code")))
    }
}
