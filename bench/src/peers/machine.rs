//! On what it was measured, and which versions.

use tokio_postgres::Client;

use super::tools::RESTATE_VERSION;
use crate::Result;

const PEERS_LOCK: &str = include_str!("../../peers/Cargo.lock");

/// What was measured, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    pub(crate) date: String,
    pub(crate) machine: String,
    pub(crate) postgres: String,
    pub(crate) sqlite: String,
    pub(crate) onward: String,
}

pub(crate) async fn versions(postgres: &Client) -> Result<Versions> {
    let row = "select current_setting('server_version'), to_char(now() at time zone 'UTC', 'YYYY-MM-DD')";
    let row = postgres.query_one(row, &[]).await?;
    let version: String = row.get(0);
    Ok(Versions {
        date: row.get(1),
        machine: machine()?,
        postgres: version.split_whitespace().next().unwrap_or_default().to_owned(),
        sqlite: rusqlite::version().to_owned(),
        onward: format!("{}{}", env!("CARGO_PKG_VERSION"), commit().map(|at| format!(" at {at}")).unwrap_or_default()),
    })
}

/// The version of an engine that is not ours.
pub(crate) fn of_peer(engine: &str) -> String {
    if engine == "restate" {
        return format!("{RESTATE_VERSION}, its SDK {}", locked("restate-sdk"));
    }
    locked(engine)
}

fn locked(package: &str) -> String {
    let name = format!("name = \"{package}\"");
    let version = PEERS_LOCK.lines().skip_while(|line| *line != name).nth(1);
    let version = version.and_then(|line| line.strip_prefix("version = "));
    version.unwrap_or("an unknown version").trim_matches('"').to_owned()
}

fn commit() -> Option<String> {
    let head = ["rev-parse", "--short", "HEAD"];
    let output = std::process::Command::new("git").args(head).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    output.status.success().then_some(commit)
}

/// Its processor, memory and system; no names.
fn machine() -> Result<String> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .map_or("0", str::trim)
        .trim_end_matches(" kB")
        .parse()?;
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let release: Vec<&str> = release.trim().split(['.', '-']).take(2).collect();
    Ok(format!(
        "{cores} cores of {}, {:.0} GiB of memory, Linux {}",
        model.trim_start_matches([' ', '\t', ':']),
        kib / 1024.0 / 1024.0,
        release.join(".")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_the_peers_are_those_that_are_locked() {
        for engine in ["dbos", "durare", "duroxide", "restate"] {
            assert!(of_peer(engine).contains('.'), "{engine}");
            assert!(!of_peer(engine).contains("unknown"), "{engine}");
        }
    }
}
