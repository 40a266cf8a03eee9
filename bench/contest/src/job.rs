//! What the jobs are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A job. In all of them a step does nothing but count that it was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Job {
    /// One run of 1,000 steps one after another.
    A,
    /// 1,000 runs of 5 steps, started at once and all awaited.
    B,
    /// 5,000 one-step runs, put into a queue by 16 producers at once, until all have ended.
    C,
    /// One one-step run at a time on an idle engine, from its start to its result, 200 times.
    D,
    /// The same through a queue, 40 times.
    Dq,
    /// 200 one-step runs at once whose input, step and output have 100 KiB each.
    E,
}

impl Job {
    /// All jobs, in the order in which they are told.
    pub const ALL: [Job; 6] = [Job::A, Job::B, Job::C, Job::D, Job::Dq, Job::E];

    /// How many steps, in job a, or runs it has.
    pub fn count(self) -> u32 {
        match self {
            Job::A | Job::B => 1_000,
            Job::C => 5_000,
            Job::D | Job::E => 200,
            Job::Dq => 40,
        }
    }

    /// How many steps each run of it has; job a is one run.
    pub fn steps(self) -> u32 {
        if self == Job::B { 5 } else { 1 }
    }

    /// Does it measure one run at a time?
    pub fn is_idle(self) -> bool {
        matches!(self, Job::D | Job::Dq)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Job::A => "a",
            Job::B => "b",
            Job::C => "c",
            Job::D => "d",
            Job::Dq => "dq",
            Job::E => "e",
        })
    }
}

impl FromStr for Job {
    type Err = String;

    fn from_str(name: &str) -> Result<Job, String> {
        let named = Job::ALL.into_iter().find(|job| job.to_string() == name);
        named.ok_or_else(|| format!("`{name}` is no job; there are a, b, c, d, dq and e"))
    }
}

/// What one take of a job brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Take {
    /// From the first start to the last result.
    pub seconds: f64,
    /// From the start to the result of each run, in milliseconds. Only in jobs d and dq.
    pub millis: Vec<f64>,
}
