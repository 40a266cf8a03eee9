//! The crash suite: random programs in real processes, with faults thrown at them, and a model that knows every result.

mod archive;
mod arguments;
mod batches;
mod book;
mod briefs;
mod debounced;
mod deploys;
mod faults;
mod fleet;
mod flood;
mod follow;
mod generate;
mod insist;
mod job;
mod many;
mod queues;
mod random;
mod report;
mod stage;
mod steer;
mod suite;
mod supervisor;
mod ticks;
mod verify;
mod worker;

use std::process::ExitCode;

use arguments::{Arguments, HELP};
use onward::Result;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("crash: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[String]) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new()?;
    match words {
        [word] if word == "--help" || word == "help" => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        [word, rest @ ..] if word == "worker" => {
            let worked = runtime.block_on(worker::work(Arguments::parse(rest)?));
            // A body may block on a desk that nobody attends.
            runtime.shutdown_background();
            worked.map(|()| ExitCode::SUCCESS)
        }
        [word, rest @ ..] if word == "job" => {
            runtime.block_on(job::perform(Arguments::parse(rest)?)).map(|()| ExitCode::SUCCESS)
        }
        [word, url, file] if word == "follow" => {
            runtime.block_on(follow::follow(url, file)).map(|()| ExitCode::SUCCESS)
        }
        [word, rest @ ..] if word == "flood" => runtime.block_on(flood::flood(Arguments::parse(rest)?)),
        words => runtime.block_on(supervisor::supervise(Arguments::parse(words)?)),
    }
}
