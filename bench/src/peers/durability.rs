//! Is every acknowledged commit on the disk? Counted, not believed: how often the engine's files are synced while one run
//! records its steps one after another. An engine that does not sync at least once for each of them has acknowledged what
//! a loss of power would take back.

use std::path::Path;
use std::time::Duration;

use onward_contest::{Job, WARM_UP_STEPS};
use tokio::process::Command;

use super::child::{Home, Place, Running};
use super::subject::{Keeps, Subject};
use crate::Result;

const STEPS: u32 = 200;
/// PostgreSQL tells of what a session has done when the session ends.
const STATISTICS_AFTER: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug)]
pub(crate) struct Durability {
    /// What its connections or its server say.
    pub(crate) said: String,
    /// Syncs for each step of job a, and how they were counted.
    pub(crate) syncs: Option<f64>,
    pub(crate) counted: &'static str,
}

impl Durability {
    pub(crate) async fn check(place: &Place, subject: Subject) -> Result<Durability> {
        let home = place.home(subject).await?;
        let command = place.command(subject, Job::A, &home, STEPS);
        let durability = if subject.keeps == Keeps::Postgres {
            of_postgres(place, command).await
        } else {
            of_files(subject, command, &home).await
        };
        let forgotten = place.forget(subject, &home).await;
        let durability = durability?;
        forgotten?;
        Ok(durability)
    }

    pub(crate) fn is_proved(&self) -> Option<bool> {
        self.syncs.map(|syncs| syncs >= 1.0)
    }
}

async fn of_postgres(place: &Place, command: Command) -> Result<Durability> {
    let mut said = Vec::new();
    for setting in ["fsync", "synchronous_commit", "full_page_writes", "wal_sync_method"] {
        let row = place.postgres.query_one("select current_setting($1)", &[&setting]).await?;
        said.push(format!("{setting}={}", row.get::<_, &str>(0)));
    }
    let before = syncs(place).await;
    let mut running = Running::start(command)?;
    running.ready().await?;
    let takes = running.go().await?.takes.len();
    running.end().await?;
    let after = syncs(place).await;
    // Its sessions tell when they end, so the steps of the warm-up are among those that are counted.
    let steps = f64::from(STEPS) * takes as f64 + f64::from(WARM_UP_STEPS);
    let syncs = after.zip(before).map(|(after, before)| (after - before) as f64 / steps);
    Ok(Durability { said: said.join(" "), syncs, counted: "pg_stat_wal" })
}

/// How often the log was synced. Versions that count it elsewhere give nothing.
async fn syncs(place: &Place) -> Option<i64> {
    tokio::time::sleep(STATISTICS_AFTER).await;
    let row = place.postgres.query_one("select wal_sync from pg_stat_wal", &[]).await;
    row.ok().map(|row| row.get(0))
}

async fn of_files(subject: Subject, command: Command, home: &Home) -> Result<Durability> {
    let log = home.path.with_extension("syncs");
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-e",
        "trace=fsync,fdatasync,msync,sync_file_range",
        "-e",
        "signal=none",
        "-o",
    ]);
    traced.arg(&log).arg(command.as_std().get_program()).args(command.as_std().get_args());
    traced.envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut running = Running::start(traced).map_err(|error| format!("{error} (syncs are counted by strace)"))?;
    let ready = running.ready().await?;
    let before = lines(&log)?;
    let takes = running.go().await?.takes.len();
    let after = lines(&log)?;
    running.end().await?;
    std::fs::remove_file(&log)?;
    let said = ready.durability.unwrap_or_else(|| match subject.engine {
        "restate" => "rocksdb-disable-wal-fsync = false (its default)".to_owned(),
        _ => "journal_mode=wal synchronous=2, set in its source".to_owned(),
    });
    let syncs = (after - before) as f64 / (f64::from(STEPS) * takes as f64);
    Ok(Durability { said, syncs: Some(syncs), counted: "strace" })
}

/// Calls that were begun and ended apart are two lines; the second is no call.
fn lines(log: &Path) -> Result<usize> {
    let log = std::fs::read_to_string(log)?;
    Ok(log.lines().filter(|line| !line.contains("resumed>")).count())
}
