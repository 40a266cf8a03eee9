//! Benchmarks of Onward, each beside a hand-written loop over the same tables, in one run on one machine: what counts is
//! the ratio of the two, which a slow or noisy machine changes least.
//!
//! ```text
//! cargo run --release -p onward-bench -- core             a table, with the targets
//! cargo run --release -p onward-bench -- core --json      one JSON object a line
//! cargo run --release -p onward-bench -- core --only hooks    what metrics, a codec and spans cost, beside an engine without
//! cargo run --release -p onward-bench -- scale            what holds with a million runs, with the targets
//! cargo run --release -p onward-bench -- hello            what building the smallest program costs
//! cargo run --release -p onward-bench -- peers            Onward beside other engines (README.md)
//! ```
//!
//! SQLite files lie in the folder for temporary files (`TMPDIR`), and so does the PostgreSQL server that is started for
//! the benchmarks: both have to be on a real disk, or an fsync costs nothing.

mod contest;
mod database;
mod hello;
mod jobs;
mod peers;
mod raw;
mod report;
mod sample;
mod scale;
mod statistics;
mod workflows;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::database::{Db, Server};
use crate::jobs::Bench;
use crate::report::Report;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Benchmarks of Onward.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The engine beside raw loops, on SQLite and PostgreSQL
    Core(Core),
    /// The time to build the smallest program again, and the crates it needs
    Hello {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Onward beside other durable engines; the results go to bench/RESULTS.md and bench/results.svg
    Peers(peers::Options),
    /// One job of those that the peers have, on `onward` or on the `raw` loops, as the process sees it that holds its input
    #[command(hide = true)]
    Jobs { orders: Vec<String> },
    /// Park sleepers on this database and print what memory they cost. A process of its own, so that the memory is clean
    #[command(hide = true)]
    Park { url: String, sleepers: u32 },
    /// What holds at scale: a million runs parked, listed, in the way, and gone again; and one queue beside others
    Scale(scale::Options),
}

#[derive(clap::Args)]
struct Core {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// How often everything is measured; the medians are told
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this benchmark
    #[arg(long)]
    only: Option<Bench>,
    /// Only this database
    #[arg(long)]
    db: Option<Db>,
}

#[tokio::main]
async fn main() -> ExitCode {
    // On a task of its own, as in a server: the main thread is not one of the runtime's workers.
    let done = tokio::spawn(run(Arguments::parse().command)).await;
    match done.map_err(Into::into).flatten() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Core(core) => measure(core).await?,
        Command::Hello { json } => hello::measure(json)?,
        Command::Jobs { orders } => return contest::jobs(orders).await,
        Command::Peers(options) => peers::compare(options).await?,
        Command::Park { url, sleepers } => jobs::parked::park(&url, sleepers).await?,
        Command::Scale(options) => scale::measure(options).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(core: Core) -> Result<()> {
    let mut report = Report::new(core.json);
    for db in Db::ALL.into_iter().filter(|db| core.db.is_none_or(|only| only == *db)) {
        let server = Server::start(db)?;
        for bench in core.only.map_or(Bench::ALL.to_vec(), |only| vec![only]) {
            // Parking 100,000 runs takes a minute, and memory does not vary from round to round.
            let rounds = if bench == Bench::ParkedMemory { 1 } else { core.rounds };
            let mut samples = Vec::new();
            for _ in 0..rounds {
                samples.push(bench.round(&server).await?);
            }
            report.add(bench, db, samples)?;
        }
    }
    report.finish();
    Ok(())
}
