//! The arguments of `onward move`.

use clap::Args;

/// Move everything to another database: from one SQLite file to PostgreSQL, or between any two
///
/// Moves the runs in all states with their checkpoints, waits, messages, hooks, events and streams, and all queues and schedules.
/// No executor may be running on either database, and the other database must be empty. If the command is killed or fails, run it
/// again with the same arguments: it continues where it was. At the end it compares both databases table by table. The old one
/// then records where its runs are, and no executor executes them there any more.
#[derive(Debug, Args)]
#[command(about = "Move everything to another database")]
pub(crate) struct Move {
    /// The database to move from: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,

    /// The database to move to. Its file and tables are created if they do not exist
    #[arg(long, value_name = "URL", required_unless_present = "undo", conflicts_with = "undo")]
    pub(crate) to: Option<String>,

    /// Undo the move: the runs of --from may be executed there again. Delete the other database, so that they are not executed
    /// in both
    #[arg(long)]
    pub(crate) undo: bool,

    /// Print one JSON value
    #[arg(long)]
    pub(crate) json: bool,
}
