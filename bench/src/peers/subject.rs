//! What is compared: an engine on a database.

use std::fmt;

use onward_contest::Job;

/// Where an engine keeps its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    Sqlite,
    Postgres,
    Own,
}

/// An engine on a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) engine: &'static str,
    pub(crate) keeps: Keeps,
}

impl Subject {
    pub(crate) const ALL: [Subject; 9] = [
        Subject { engine: "raw", keeps: Keeps::Sqlite },
        Subject { engine: "onward", keeps: Keeps::Sqlite },
        Subject { engine: "durare", keeps: Keeps::Sqlite },
        Subject { engine: "duroxide", keeps: Keeps::Sqlite },
        Subject { engine: "raw", keeps: Keeps::Postgres },
        Subject { engine: "onward", keeps: Keeps::Postgres },
        Subject { engine: "durare", keeps: Keeps::Postgres },
        Subject { engine: "dbos", keeps: Keeps::Postgres },
        Subject { engine: "restate", keeps: Keeps::Own },
    ];

    /// Is it a peer, and neither Onward nor the raw loops?
    pub(crate) fn is_peer(self) -> bool {
        !matches!(self.engine, "raw" | "onward")
    }

    /// Why it does not perform a job.
    pub(crate) fn leaves_out(self, job: Job) -> Option<&'static str> {
        match (self.engine, job) {
            ("raw", Job::E) => Some("there is no loop for it"),
            ("restate", Job::Dq) => Some("each of its calls goes through its log: job d is the same"),
            _ => None,
        }
    }

    /// How many steps or runs a job has for it: fewer where it is too slow to wait for.
    pub(crate) fn count(self, job: Job) -> u32 {
        match (self.engine, job) {
            ("duroxide", Job::B) => 300,
            ("duroxide", Job::C) => 500,
            _ => job.count(),
        }
    }
}

impl fmt::Display for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Keeps::Sqlite => "SQLite",
            Keeps::Postgres => "PostgreSQL",
            Keeps::Own => "its own log",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.engine, self.keeps)
    }
}
