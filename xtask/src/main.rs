//! The tasks of this repository. `cargo xtask test` and `cargo xtask check` are all that CI runs, too.

mod arguments;
mod check;
mod console;
mod install;
mod test;
mod tidy;

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use arguments::Task;

/// A task that could not be carried out says why in a sentence. One that could, and found faults, ends with a code.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What the cargo feature `otlp` adds, which no other build has: its module is linted with the crates below its one test.
const OTLP: &[&str] = &["-p", "onward", "--features", "otlp", "--test", "otlp"];

/// What the cargo feature `schema` adds.
const SCHEMA: &[&str] = &["-p", "onward", "--features", "schema", "--test", "schema"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    run(&arguments).unwrap_or_else(|error| {
        console::red(&error.to_string());
        ExitCode::FAILURE
    })
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    match arguments::read(arguments)? {
        Task::Test(selection) => test::test(&selection),
        Task::Check => check::check(&root()?),
        Task::Help => {
            println!("{}", arguments::HELP);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The folder of the repository. Cargo tells each program it runs where its manifest is.
fn root() -> Result<PathBuf> {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").ok_or("run this as `cargo xtask`, so that cargo says where we are")?;
    Ok(PathBuf::from(manifest).join(".."))
}

/// The cargo that runs us, and not another toolchain's.
fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
