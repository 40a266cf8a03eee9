//! The arguments of `onward demo`, and of the process that it kills.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Arguments, Parser};

use super::values::milliseconds;

/// Archive a folder with durable workflows, kill their executor, and prove that nothing was lost or done twice
///
/// Each file is a run of five steps: read, hash, compress, store, record. The process that executes them is killed with
/// SIGKILL and restarted several times. At the end every file is unpacked and compared with the source, and a log of the
/// steps that really ran is compared with the recorded ones. The exit code is 0 only if the proof holds.
#[derive(Debug, Arguments)]
pub(crate) struct Demo {
    /// The folder to archive, without the files that git ignores
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// The database of the runs: sqlite:app.db or postgres://… [default: a SQLite file in the working folder]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,

    /// How many times to kill the executor
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) kills: usize,

    /// Keep the working folder: the archive, its manifest, the log of steps, the database
    #[arg(long)]
    pub(crate) keep: bool,

    /// Print the result as one JSON value
    #[arg(long)]
    pub(crate) json: bool,
}

/// The process that the demo starts and kills. It is not a command of users, so that no tip and no help names it.
#[derive(Debug, Parser)]
pub(crate) struct DemoExecutor {
    #[arg(long)]
    pub(crate) db: String,

    /// The working folder.
    #[arg(long)]
    pub(crate) work: PathBuf,

    /// The number of the executor process, from 1.
    #[arg(long)]
    pub(crate) life: u32,

    /// The number of different step bodies that may begin, including those of earlier processes.
    #[arg(long)]
    pub(crate) hold_at: usize,

    #[arg(long, value_parser = milliseconds)]
    pub(crate) lease_ms: Option<Duration>,
}
