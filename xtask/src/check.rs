//! `cargo xtask check`: what a reviewer should not have to say.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::{OTLP, Result, SCHEMA, cargo, console, tidy};

/// Run every check, also after one that found something, and name those that did.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    let mut failed = Vec::new();
    console::say("tidy");
    let faults = tidy::faults(root)?;
    if !faults.is_empty() {
        faults.iter().for_each(|fault| eprintln!("{fault}"));
        failed.push("tidy");
    }
    for (name, mut command) in [
        ("rustfmt", rustfmt()),
        ("clippy", clippy(&["--workspace", "--all-targets"])),
        ("clippy of otlp", clippy(OTLP)),
        ("clippy of schema", clippy(SCHEMA)),
        ("clippy without default features", clippy(&["--package", "onward", "--no-default-features"])),
        ("docs", docs()),
    ] {
        console::say(name);
        if !command.status().map_err(|error| format!("cannot run cargo for {name}: {error}"))?.success() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        console::green("all checks passed");
        return Ok(ExitCode::SUCCESS);
    }
    console::red(&format!("failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

fn rustfmt() -> Command {
    let mut command = cargo();
    command.args(["fmt", "--all", "--check"]);
    command
}

fn clippy(of: &[&str]) -> Command {
    let mut command = cargo();
    command.arg("clippy").args(of).args(["--quiet", "--", "-D", "warnings"]);
    command
}

fn docs() -> Command {
    let mut command = cargo();
    command.args(["doc", "--no-deps", "--workspace", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
    command
}
