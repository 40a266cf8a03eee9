//! Schedules, which start runs of a workflow at recurring times.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, RunId, RunOptions, Steering, Timestamp};

/// The input of a workflow that a schedule starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The schedule.
    pub schedule: String,
    /// When the run was due. It may have started later.
    #[serde(with = "crate::wire::instant")]
    pub due: Timestamp,
    /// The previous tick that was processed, if any.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub previous: Option<Timestamp>,
    /// The time zone of the schedule, such as `Europe/Zurich`.
    pub zone: String,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The choice as text, the same in tables and for people.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<$name, Error> {
                match text {
                    $($text => Ok($name::$variant),)*
                    other => Err(Error::new(Code::Invalid, format!("`{other}` is not one of {}", [$($text),*].join(", ")))),
                }
            }
        }
    };
}

choices! {
    /// What happens to ticks that were missed because no executor was running.
    CatchUp {
        /// Only the latest of them starts a run.
        #[default]
        Latest "latest",
        /// Each of them starts a run, up to the latest 1,000.
        All "all",
        /// None of them starts a run: a tick that is processed more than a minute late is skipped.
        Skip "skip",
    }
}

choices! {
    /// What happens at a tick while the run that the last tick started has not ended.
    Overlap {
        /// The tick starts another run beside it.
        #[default]
        Allow "allow",
        /// The tick starts no run.
        Skip "skip",
        /// The tick cancels that run and starts another one.
        Cancel "cancel",
    }
}

/// Everything known about a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Its id.
    pub id: String,
    /// The workflow that it starts.
    pub workflow: String,
    /// The version of the workflow. `None` if it is open: each run gets the newest version that the executor claiming it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The cron expression: five fields, or six of which the first is seconds.
    pub cron: String,
    /// The time zone of the cron expression, such as `Europe/Zurich`.
    pub zone: String,
    /// What happens to ticks that were missed.
    pub catch_up: CatchUp,
    /// What happens at a tick while the last run is open.
    pub overlap: Overlap,
    /// Whether it is paused: its ticks start no runs.
    pub paused: bool,
    /// Who paused or resumed it last, why and when. `None` if nobody has, or not since Onward records it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steered: Option<Steering>,
    /// All ticks up to this time have been processed.
    #[serde(with = "crate::wire::instant")]
    pub done_until: Timestamp,
    /// The last tick that was processed.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub last_tick: Option<Timestamp>,
    /// The next tick.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub next_tick: Option<Timestamp>,
    /// The run that the last tick started, unless it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RunId>,
    /// When it was created.
    #[serde(with = "crate::wire::instant")]
    pub created_at: Timestamp,
    /// The next five ticks. Empty if this version of Onward cannot parse the expression or the zone.
    #[serde(with = "crate::wire::instant::list")]
    pub upcoming: Vec<Timestamp>,
    /// The options of its runs. `version` is a field of its own, and each run gets its id from its tick.
    pub options: RunOptions,
}
