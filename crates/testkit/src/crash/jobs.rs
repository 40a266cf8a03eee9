//! The jobs of the benchmark (`bench/contest`), told aloud: whatever a process was given it says at once, so that a test can
//! kill it and see whether that was kept.
//!
//! Workflows and settings are those of `bench/src/contest.rs`, beside what is said, and the counts are smaller. They are
//! copies, for this crate is published and the benchmark is not.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use onward::prelude::*;
use serde_json::Value;

use super::{Said, mix};

/// The queue of jobs c and dq. It has no limits.
pub const QUEUE: &str = "work";
/// How many tasks enqueue at the same time in job c.
pub const PRODUCERS: u32 = 16;
const PAYLOAD: usize = 100 * 1024;

/// A job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// One run of many steps one after another.
    A,
    /// Many runs of 5 steps, started at once and all awaited.
    B,
    /// Many one-step runs, put into a queue by 16 producers at once, until all have ended.
    C,
    /// One one-step run at a time, from its start to its result.
    D,
    /// The same through a queue.
    Dq,
    /// Many one-step runs at once whose input, step and output have 100 KiB each.
    E,
}

impl Job {
    /// All of them.
    pub const ALL: [Job; 6] = [Job::A, Job::B, Job::C, Job::D, Job::Dq, Job::E];

    /// How many runs it has until it begins again.
    #[must_use]
    pub fn runs(self) -> u32 {
        match self {
            Job::A => 1,
            Job::B => 40,
            Job::C => 112,
            Job::D | Job::Dq => 20,
            Job::E => 12,
        }
    }

    /// How many steps each of its runs has.
    #[must_use]
    pub fn steps(self) -> u32 {
        match self {
            Job::A => 100,
            Job::B => 5,
            Job::C | Job::D | Job::Dq | Job::E => 1,
        }
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

/// Where bodies say what they saw: the output of the process, or the caller that asked for it.
#[derive(Clone)]
pub struct Voice(Arc<dyn Fn(Said) + Send + Sync>);

impl Voice {
    /// What is said goes there.
    pub fn new(say: impl Fn(Said) + Send + Sync + 'static) -> Voice {
        Voice(Arc::new(say))
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").finish_non_exhaustive()
    }
}

/// Open an executor as the benchmark does: with all its defaults, and a queue without limits.
///
/// # Errors
/// Where the database cannot be reached.
pub async fn open(database: &str, voice: Voice) -> Result<Onward> {
    let onward = Onward::open(database).workflows::<(steps, echo)>().state(voice).launch().await?;
    onward.queue(QUEUE).await?;
    Ok(onward)
}

/// So many steps, one after another. It comes to what [`all_of`] makes of what they gave.
///
/// A body says what the step before it gave: once a body has begun, that is recorded, and anybody may have seen it.
#[onward::workflow]
pub async fn steps(ctx: &Ctx, count: u32) -> Result<u64> {
    let mut given = Vec::new();
    for number in 0..count {
        let body = async || {
            if let Some(before) = given.last() {
                say(ctx, Said::Saw(ctx.run_id().to_owned(), number - 1, *before));
            }
            say(ctx, Said::Began(ctx.run_id().to_owned(), number));
            // Were it run again by another process, it would give another value.
            Ok(mix(u64::from(std::process::id()), u64::from(number)))
        };
        let value = ctx.step("step", body).await?;
        given.push(value);
    }
    Ok(all_of(&given))
}

/// One step that gives the input.
#[onward::workflow]
pub async fn echo(ctx: &Ctx, payload: String) -> Result<String> {
    let body = async || {
        say(ctx, Said::Began(ctx.run_id().to_owned(), 0));
        Ok(payload.clone())
    };
    Ok(ctx.step("same", body).await?)
}

fn say(ctx: &Ctx, said: Said) {
    (ctx.state::<Voice>().0)(said);
}

/// What a run comes to, by what its steps gave.
#[must_use]
pub fn all_of(given: &[u64]) -> u64 {
    given.iter().copied().fold(0, mix)
}

/// A result as it is said: a number as it is, a text as its digest.
#[must_use]
pub fn told(result: &Value) -> u64 {
    result.as_u64().unwrap_or_else(|| {
        let mut digest = DefaultHasher::new();
        result.as_str().hash(&mut digest);
        digest.finish()
    })
}

/// A text of 100 KiB that no database can compress to nothing, and another one for each seed.
#[must_use]
pub fn payload(seed: u64) -> String {
    let mut state = seed;
    let letters = (0..PAYLOAD).map(|_| {
        state = mix(state, seed);
        char::from(b'0' + (state >> 33) as u8 % 64)
    });
    letters.collect()
}
