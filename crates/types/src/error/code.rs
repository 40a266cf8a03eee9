//! Error codes: one name for each kind of error, the same in every language, and its HTTP status.

use std::fmt;
use std::str::FromStr;

use super::Error;

macro_rules! codes {
    ($($variant:ident $text:literal $http:literal $doc:literal,)*) => {
        /// The kind of an error. The text of a code is the same in Rust, over HTTP and in every client.
        ///
        /// | code | HTTP status | meaning |
        /// |---|---|---|
        $(#[doc = concat!("| `", $text, "` | ", $http, " | ", $doc, " |")])*
        ///
        /// ```
        /// use onward_types::Code;
        /// let code: Code = "unknown_run".parse().unwrap();
        /// assert_eq!((code, code.http_status()), (Code::UnknownRun, 404));
        /// ```
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

            /// The HTTP status of a response that reports an error of this kind.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Code::$variant => $http,)* }
            }
        }
    };
}
codes! {
    Failed "failed" 500 "A step or a run returned an error.",
    Panicked "panicked" 500 "A step or a workflow panicked.",
    TimedOut "timed_out" 504 "Something took longer than allowed.",
    Cancelled "cancelled" 409 "The run was cancelled, by a person or by its deadline.",
    RetriesExceeded "retries_exceeded" 409 "The run crashed its executor too often and was given up; it can be resumed.",
    Diverged "diverged" 409 "The code made a different durable call than the one recorded: a non-determinism error.",
    Held "held" 409 "The run is paused: continuing would lose something, or it has paused itself.",
    UnknownRun "unknown_run" 404 "No run has that id.",
    UnknownQueue "unknown_queue" 404 "No queue has that name.",
    UnknownSchedule "unknown_schedule" 404 "No schedule has that id.",
    Conflict "conflict" 409 "Another run already has that id; the error's data names it.",
    Deduplicated "deduplicated" 409 "An open run of the queue already has that dedup key; the error's data names the run.",
    TokenTaken "token_taken" 409 "The hook of an open run already has that token; the error's data names the run.",
    KeyReused "key_reused" 409 "The key was used before for something else; the error's data names the run that has it.",
    VersionChanged "version_changed" 409 "The document has another version than the expected one.",
    AlreadyRegistered "already_registered" 409 "This executor already has a workflow of that name and version.",
    NotRegistered "not_registered" 404 "The workflow is not registered with this executor.",
    IllegalMove "illegal_move" 409 "That is not possible in the run's current state.",
    Closed "closed" 409 "The stream is closed.",
    UnknownHook "unknown_hook" 404 "No hook has that token.",
    Gone "gone" 410 "The run that should receive it has ended.",
    UnknownMessage "unknown_message" 404 "The run has no such message.",
    MessageTaken "message_taken" 409 "A call of the run has taken the message, or may be taking it now.",
    InUse "in_use" 409 "The database is in use by an executor, or holds other data.",
    Moved "moved" 409 "The runs of the database were moved to another one, or are being moved.",
    Nested "nested" 500 "A durable call was made inside a step.",
    OutsideRun "outside_run" 500 "A durable call was polled outside the task of its run.",
    MissingState "missing_state" 500 "The workflow uses state that was not provided.",
    Invalid "invalid" 400 "An argument is not valid.",
    Encode "encode" 400 "A value cannot be encoded.",
    Decode "decode" 500 "A recorded value cannot be decoded.",
    Corrupt "corrupt" 500 "A row in the database cannot be understood.",
    Database "database" 503 "The database could not be reached or refused the operation.",
    Busy "busy" 503 "Another process has locked the database or the row; try again.",
    Schema "schema" 503 "The database was written by a version of Onward that this one cannot work with.",
    Fenced "fenced" 503 "This executor lost its lease and was replaced.",
    Stopped "stopped" 503 "The executor is shutting down.",
    Unknown "unknown" 500 "A newer version of Onward recorded a code that this one does not know: `Error::code` has its text.",
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
