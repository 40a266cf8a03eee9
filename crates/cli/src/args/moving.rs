//! What can be typed behind `onward move`.

use clap::Args;

/// Move everything to another database: from one SQLite file to PostgreSQL, or between any two
///
/// Runs of all states with what they recorded, what they wait for, their messages, hooks, events and streams, and queues and
/// schedules. No executor may be at work in either database, and the other one has to be empty. Killed in the middle, or stopped by
/// an error, it is started again with the same words and goes on where it was. At the end both databases are compared table by
/// table; then the old one says where its runs are, and nobody executes them there any more.
#[derive(Debug, Args)]
#[command(about = "Move everything to another database")]
pub(crate) struct Move {
    /// The database that has the runs: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,

    /// The database that gets them. Its file and tables are made if they are not there
    #[arg(long, value_name = "URL", required_unless_present = "undo", conflicts_with = "undo")]
    pub(crate) to: Option<String>,

    /// Call the move off: the runs of --from may be executed there again. Delete the other database, so that nobody executes
    /// them in both
    #[arg(long)]
    pub(crate) undo: bool,

    /// Print JSON for programs: one value
    #[arg(long)]
    pub(crate) json: bool,
}
