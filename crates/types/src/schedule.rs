//! Schedules: what is run again and again, and when.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, RunId, RunOptions, Timestamp};

/// What a workflow gets that a schedule starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The schedule.
    pub schedule: String,
    /// When the run was due; it may have been started later.
    pub due: Timestamp,
    /// The tick before that was dealt with, if there was one.
    pub previous: Option<Timestamp>,
    /// The time zone of the schedule, as `Europe/Zurich`.
    pub zone: String,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The choice as tables and people name it.
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
                    other => Err(Error::new(Code::Invalid, format!("`{other}` is none of {}", [$($text),*].join(", ")))),
                }
            }
        }
    };
}

choices! {
    /// What becomes of ticks that nobody was there to deal with.
    CatchUp {
        /// The latest of them starts a run.
        #[default]
        Latest "latest",
        /// Each of them starts a run, the latest 1,000 at the most.
        All "all",
        /// None of them does: a tick that is dealt with more than a minute late starts nothing.
        Skip "skip",
    }
}

choices! {
    /// What becomes of a tick while the run that the last one started has not ended.
    Overlap {
        /// It starts a run beside it.
        #[default]
        Allow "allow",
        /// It starts nothing.
        Skip "skip",
        /// The last run is cancelled, and it starts another one.
        Cancel "cancel",
    }
}

/// All that is known of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Its id.
    pub id: String,
    /// What it runs.
    pub workflow: String,
    /// In which version; none where it is open: each run gets the newest version of the executor that claims it.
    #[serde(default)]
    pub version: Option<String>,
    /// When: five fields, or six that begin with seconds.
    pub cron: String,
    /// By the clocks of which place.
    pub zone: String,
    /// What becomes of ticks that were missed.
    pub catch_up: CatchUp,
    /// What becomes of a tick while the last run is open.
    pub overlap: Overlap,
    /// Whether its ticks start nothing.
    pub paused: bool,
    /// Up to when its ticks are dealt with.
    pub done_until: Timestamp,
    /// The last tick that was dealt with.
    pub last_tick: Option<Timestamp>,
    /// The next tick.
    pub next_tick: Option<Timestamp>,
    /// The run that the last tick started, while it is there.
    pub last_run: Option<RunId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The next five ticks; none where this version cannot understand the expression or the zone.
    pub upcoming: Vec<Timestamp>,
    /// The options of its runs. The version is beside them, and the id is made from the tick.
    pub options: RunOptions,
}
