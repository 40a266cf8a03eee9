//! `cargo xtask test`: every test on every database, with one PostgreSQL started for all of them.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;
use std::{env, thread};

use onward_testkit::PrivatePostgres;

use crate::arguments::{Database, Selection};
use crate::{OTLP, Result, SCHEMA, cargo, console, install};

/// Where the tests' databases are made. Set beforehand, it names a server of the caller's, and none is started.
const SERVER: &str = "ONWARD_TEST_POSTGRES";
const ONLY: &str = "ONWARD_TEST_ONLY";
/// How many tests nextest runs at once.
const AT_ONCE: &str = "NEXTEST_TEST_THREADS";

/// What a run of all tests takes at most, several times over: 1 GiB of write-ahead log, and some 12 MB for each database.
const ROOM_KIB: u64 = 4 << 20;

pub(crate) fn test(selection: &Selection) -> Result<ExitCode> {
    let (server, environment) = match (selection.only, env::var(SERVER)) {
        (Some(Database::Sqlite), _) => (None, vec![(ONLY, "sqlite".to_owned())]),
        (_, Ok(theirs)) => {
            console::say(&format!("PostgreSQL is the server that {SERVER} names"));
            (None, vec![(SERVER, theirs)])
        }
        _ => {
            let server = start_postgres()?;
            let url = server.url("postgres");
            (Some(server), vec![(SERVER, url)])
        }
    };
    let environment = [environment, at_once()].concat();
    let mut outcomes = Vec::new();
    for (name, mut command) in steps(selection, has_nextest()) {
        console::say(&name);
        let status = command.envs(environment.clone()).status();
        outcomes.push((name, status.map_err(|error| format!("cannot run cargo: {error}"))?));
    }
    // Kept until here: the server stops when this is dropped, on the ways out above as well.
    drop(server);
    Ok(verdict(&outcomes))
}

fn start_postgres() -> Result<PrivatePostgres> {
    install::postgres()?;
    let begin = Instant::now();
    let parent = memory_folder().unwrap_or_else(env::temp_dir);
    let server = PrivatePostgres::start_in(&parent)?;
    let (programs, parent) = (server.binaries().folder().display(), parent.display());
    let address = server.address();
    console::say(&format!("private PostgreSQL at {address} in {parent} ({programs}, {:.1?})", begin.elapsed()));
    Ok(server)
}

/// Many tests wait for a fact of real time, such as an answer that is lost, so more of them run at once than there are cores.
fn at_once() -> Vec<(&'static str, String)> {
    if env::var_os(AT_ONCE).is_some() {
        return Vec::new();
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    vec![(AT_ONCE, (cores + 3).to_string())]
}

/// The file system in memory, where there is one with room. Each test makes a database of some 500 files; on ext4 the system spent
/// more time on these files than the tests spent on everything else (179 tests of the store: 157 s, in memory 65 s).
fn memory_folder() -> Option<PathBuf> {
    let folder = Path::new("/dev/shm");
    let said = Command::new("df").args(["-Pk", "-t", "tmpfs"]).arg(folder).output().ok()?;
    (free_kib(&String::from_utf8_lossy(&said.stdout))? >= ROOM_KIB).then(|| folder.to_owned())
}

/// The free space of the one file system that `df -Pk` lists.
fn free_kib(listed: &str) -> Option<u64> {
    listed.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// What to run. All of it is run, for one broken part says nothing about the others. The tests in the docs come first,
/// so that the summary of the many is the last thing on the screen.
fn steps(selection: &Selection, nextest: bool) -> Vec<(String, Command)> {
    let mut steps = Vec::new();
    if selection.arguments.is_empty() {
        let mut docs = cargo();
        docs.args(["test", "--workspace", "--doc", "--quiet"]);
        steps.push(("tests in the docs".to_owned(), docs));
    }
    if selection.arguments.is_empty() {
        let mut otlp = cargo();
        otlp.arg("test").args(OTLP).arg("--quiet");
        steps.push(("tests of otlp".to_owned(), otlp));
        let mut schema = cargo();
        schema.arg("test").args(SCHEMA).arg("--quiet");
        steps.push(("tests of schema".to_owned(), schema));
    }
    let mut tests = cargo();
    tests.args(if nextest { ["nextest", "run"].as_slice() } else { &["test", "--tests"] });
    tests.arg("--no-fail-fast").args(runner_arguments(selection));
    steps.push((format!("tests{}", selection.only.map(left_out).unwrap_or_default()), tests));
    steps
}

/// The caller's arguments, and a filter that both runners report as what it is: tests that were not run.
fn runner_arguments(selection: &Selection) -> Vec<String> {
    let theirs = &selection.arguments;
    let names_packages = theirs.iter().any(|word| word.starts_with("-p") || word.starts_with("--package"));
    let mut arguments: Vec<String> = Vec::new();
    arguments.extend((!names_packages).then(|| "--workspace".to_owned()));
    arguments.extend_from_slice(theirs);
    if let Some(only) = selection.only {
        arguments.extend((!theirs.iter().any(|word| word == "--")).then(|| "--".to_owned()));
        arguments.extend(["--skip".to_owned(), skipped_name(only).to_owned()]);
    }
    arguments
}

/// `#[on_every_database]` ends the names of its tests so.
fn skipped_name(only: Database) -> &'static str {
    match only {
        Database::Sqlite => "::postgres",
        Database::Postgres => "::sqlite",
    }
}

fn left_out(only: Database) -> String {
    format!(", leaving out those named {}", skipped_name(only))
}

fn has_nextest() -> bool {
    cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success())
}

/// The code of the first part that failed. A part that a signal ended has none, and counts as 1.
fn verdict(outcomes: &[(String, ExitStatus)]) -> ExitCode {
    let failures: Vec<_> = outcomes.iter().filter(|(_, status)| !status.success()).collect();
    for (name, status) in &failures {
        console::red(&format!("{name}: failed ({status})"));
    }
    match failures.first() {
        None => {
            console::green("all tests passed");
            ExitCode::SUCCESS
        }
        Some((_, status)) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_in_memory_is_read_from_what_df_lists() {
        let listed =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\ntmpfs 12288000 96 12287904 1% /dev/shm\n";
        assert_eq!(free_kib(listed), Some(12_287_904));
        assert_eq!(free_kib("Filesystem 1024-blocks Used Available Capacity Mounted on\n"), None, "of another type");
        assert_eq!(free_kib(""), None);
    }

    fn arguments(only: Option<Database>, theirs: &[&str]) -> String {
        let arguments = theirs.iter().map(|word| word.to_string()).collect();
        runner_arguments(&Selection { only, arguments }).join(" ")
    }

    #[test]
    fn everything_is_run_when_nothing_is_asked_for() {
        assert_eq!(arguments(None, &[]), "--workspace");
    }

    #[test]
    fn one_database_is_a_filter_by_name() {
        assert_eq!(arguments(Some(Database::Sqlite), &[]), "--workspace -- --skip ::postgres");
        assert_eq!(arguments(Some(Database::Postgres), &["-p", "x"]), "-p x -- --skip ::sqlite");
    }

    #[test]
    fn the_filter_joins_the_callers_own() {
        let asked = arguments(Some(Database::Sqlite), &["claim", "--", "--nocapture"]);
        assert_eq!(asked, "--workspace claim -- --nocapture --skip ::postgres");
    }
}
