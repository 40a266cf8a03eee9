//! The programs that are measured: ours, the peers' and Restate's server. What is not there yet is built or fetched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::say;
use super::subject::Subject;
use crate::Result;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
const RESTATE_PACKAGE: &str = "@restatedev/restate-server";
pub(crate) const RESTATE_VERSION: &str = "1.7.12";

pub(crate) struct Tools {
    ours: PathBuf,
    peers: PathBuf,
    restate: Option<PathBuf>,
}

impl Tools {
    /// What these subjects need.
    pub(crate) fn ready(subjects: &[Subject]) -> Result<Tools> {
        let ours = std::env::current_exe()?;
        let target = ours.parent().and_then(Path::parent).ok_or("this program lies in no target folder")?.join("peers");
        if subjects.iter().any(|subject| subject.is_peer()) {
            say("building the peers; the first time this takes some minutes");
            let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
            let build = ["build", "--release", "--locked", "--manifest-path"];
            run(Command::new(cargo)
                .args(build)
                .arg(Path::new(PEERS).join("Cargo.toml"))
                .arg("--target-dir")
                .arg(&target))?;
        }
        let mut restate = None;
        if subjects.iter().any(|subject| subject.engine == "restate") {
            match restate_server(&target.join("restate")) {
                Ok(server) => restate = Some(server),
                // The others are measured all the same; each of its jobs says that there is no server.
                Err(error) => say(&format!("without Restate's server: {error}")),
            }
        }
        Ok(Tools { ours, peers: target.join("release").join("onward-peers"), restate })
    }

    /// The program that performs jobs on this engine.
    pub(crate) fn program(&self, subject: Subject) -> tokio::process::Command {
        if !subject.is_peer() {
            let mut command = tokio::process::Command::new(&self.ours);
            command.arg("jobs");
            return command;
        }
        let mut command = tokio::process::Command::new(&self.peers);
        // No engine spends its time on lines that nobody reads.
        command.env("RUST_LOG", "off").envs(self.restate.iter().map(|server| ("RESTATE_SERVER", server)));
        command
    }
}

/// The server of Restate, from the package registry of Node.js.
fn restate_server(folder: &Path) -> Result<PathBuf> {
    if installed(folder).is_none() {
        say("fetching Restate's server");
        std::fs::create_dir_all(folder)?;
        let install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        let package = format!("{RESTATE_PACKAGE}@{RESTATE_VERSION}");
        run(Command::new("npm").args(install).arg(folder).arg(package))?;
    }
    installed(folder).ok_or_else(|| format!("{RESTATE_PACKAGE} has no server for this machine").into())
}

/// There is a package for each kind of machine, and only that of this one is installed.
fn installed(folder: &Path) -> Option<PathBuf> {
    let packages = std::fs::read_dir(folder.join("node_modules").join("@restatedev")).ok()?;
    packages.flatten().map(|package| package.path().join("bin/restate-server")).find(|server| server.is_file())
}

/// What a tool says belongs to the progress, not to the results.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let status = output.map_err(|error| format!("cannot run {program}: {error}"))?.status;
    if status.success() { Ok(()) } else { Err(format!("{program} ended with {status}").into()) }
}
