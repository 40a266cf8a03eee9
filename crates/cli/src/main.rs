//! The onward command: shows and manages runs, queues, schedules, workflows and documents, and runs the demo.
//!
//! `args/` defines the arguments and the help, `exit.rs` the exit codes, `logs.rs` the log, `output.rs` the formatting;
//! `commands/` has a file for each verb.

mod args;
mod commands;
mod demo;
mod exit;
mod logs;
mod output;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, DemoExecutor};
use crate::exit::{Exit, Failure};

#[tokio::main]
async fn main() -> ExitCode {
    let ended = run().await.unwrap_or_else(|failure| {
        failure.say();
        failure.exit
    });
    ended.into()
}

async fn run() -> Result<Exit, Failure> {
    logs::begin()?;
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|first| first == demo::executor::COMMAND) {
        return demo::executor::serve(DemoExecutor::parse_from(std::env::args_os().skip(1))).await;
    }
    match Args::parse().command {
        Command::Demo(demo) => demo::run(demo).await,
        Command::Runs(runs) => commands::runs::run(runs).await,
        Command::Queues(queues) => commands::queues::run(queues).await,
        Command::Schedules(schedules) => commands::schedules::run(schedules).await,
        Command::Workflows(workflows) => commands::workflows::run(workflows).await,
        Command::Executors(executors) => commands::executors::run(executors).await,
        Command::Inbox(inbox) => commands::inbox::run(inbox).await,
        Command::Changes(changes) => commands::changes::run(*changes).await,
        Command::Documents(documents) => commands::documents::run(documents).await,
        Command::Hooks(hooks) => commands::hooks::run(hooks).await,
        Command::Move(moving) => commands::moving::run(moving).await,
    }
}
