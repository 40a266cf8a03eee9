//! What can be read from outside while a job runs: memory, files, and PostgreSQL's log.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::child::{Home, Place};
use super::subject::{Keeps, Subject};
use crate::Result;

/// What a job needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readings {
    /// The most that the process, and those that it has started, ever had in RAM together, in bytes.
    pub(crate) memory: f64,
    /// By how much the files of the database grew, in bytes.
    pub(crate) disk: f64,
    /// How many bytes it wrote to PostgreSQL's log.
    pub(crate) log: Option<f64>,
}

/// How far a database reaches.
pub(crate) struct Extent {
    pub(crate) disk: f64,
    pub(crate) log: f64,
}

impl Place {
    /// Written out before it is looked at, so that each engine begins and ends in the same state.
    pub(crate) async fn extent(&self, subject: Subject, home: &Home) -> Result<Extent> {
        let disk = match subject.keeps {
            Keeps::Sqlite => {
                let connection = Connection::open(&home.path)?;
                connection.busy_timeout(std::time::Duration::from_secs(10))?;
                connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
                std::fs::metadata(&home.path)?.len() as f64
            }
            Keeps::Postgres => {
                self.postgres.batch_execute("checkpoint").await?;
                let size = "select pg_database_size($1)::float8";
                self.postgres.query_one(size, &[&home.name]).await?.get(0)
            }
            Keeps::Own => folder_size(&home.path)?,
        };
        Ok(Extent { disk, log: self.log_position().await? })
    }

    /// How many bytes PostgreSQL has ever written to its log.
    pub(crate) async fn log_position(&self) -> Result<f64> {
        let position = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8";
        Ok(self.postgres.query_one(position, &[]).await?.get(0))
    }
}

/// The files of a SQLite database, those of Onward's executors with them.
pub(crate) fn sqlite_files(path: &Path) -> impl Iterator<Item = PathBuf> {
    ["", "-wal", "-shm", ".executor"].map(|end| format!("{}{end}", path.display())).map(PathBuf::from).into_iter()
}

fn folder_size(folder: &Path) -> Result<f64> {
    let mut size = 0.0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        size += if kind.is_dir() { folder_size(&entry.path())? } else { kind.len() as f64 };
    }
    Ok(size)
}

/// The peaks of a process and of those that it has started, together.
pub(crate) fn peak_memory(process: Option<u32>) -> Result<f64> {
    let process = process.ok_or("the process has ended")?;
    family(process).into_iter().map(peak).sum()
}

/// A process and all that it, and they, have started.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut at = 0;
    while let Some(parent) = family.get(at) {
        let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<u32> =
            children.flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect();
        family.extend(children);
        at += 1;
    }
    family
}

fn peak(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("a process without VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}
