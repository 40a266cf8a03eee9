//! The arguments of the command. The doc comments here are the help that it prints.

mod changes;
mod demo;
mod documents;
mod executors;
mod inbox;
mod moving;
mod queues;
mod runs;
mod schedules;
mod start;
mod steer;
mod talk;
mod values;
mod workflows;

use clap::{Args as Arguments, Parser, Subcommand};

pub(crate) use self::changes::Changes;
pub(crate) use self::demo::{Demo, DemoExecutor};
pub(crate) use self::documents::{DeleteDocument, DocumentVerb, Documents, ListDocuments, OneDocument, PutDocument};
pub(crate) use self::executors::{ExecutorVerb, Executors};
pub(crate) use self::inbox::Inbox;
pub(crate) use self::moving::Move;
pub(crate) use self::queues::{QueueVerb, Queues, SetQueue, SteerQueue};
pub(crate) use self::runs::{List, Runs, Steps, Verb, Which};
pub(crate) use self::schedules::{Backfill, NewSchedule, ScheduleVerb, Schedules, SteerSchedule};
pub(crate) use self::start::Start;
pub(crate) use self::steer::{
    Attributes, Delay, Delete, Export, Fork, Import, Restart, Selected, Steer, SteerFamily, WakeUp,
};
pub(crate) use self::talk::{Event, HookVerb, Hooks, Messages, ResumeHook, Send, Stream};
pub(crate) use self::values::Limit;
pub(crate) use self::workflows::Workflows;
use crate::exit;

/// Durable workflows on SQLite and PostgreSQL: show and manage runs, queues, schedules and workflows, and run the demo.
#[derive(Debug, Parser)]
#[command(name = "onward", version, after_help = exit::CODES, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    /// The database, here or after the command: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL", global = true)]
    // Each command has an option of the same name, with its own help; clap passes this one's value to it.
    db: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Runs(Runs),
    Queues(Queues),
    Schedules(Schedules),
    Workflows(Workflows),
    Executors(Executors),
    Inbox(Inbox),
    Changes(Box<Changes>),
    Hooks(Hooks),
    Documents(Documents),
    Move(Move),
}

#[derive(Debug, Arguments)]
pub(crate) struct Common {
    /// The database: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL", env = "ONWARD_DB", hide_env_values = true, global = true)]
    pub(crate) db: Option<String>,

    /// Print JSON: one value, or one per line for continuous output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}
