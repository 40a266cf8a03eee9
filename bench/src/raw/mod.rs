//! What the databases can do: hand-written loops over the tables of Onward, with all their indexes, through the same
//! drivers and with the same durability, and no engine above them.
//!
//! Many runs share a commit as in the journal, up to 2,000 rows, and a run's next step waits for the commit of the step
//! before: a run of N steps is in N + 1 commits. There is no fence and no other rule.

mod postgres;
mod sqlite;

use std::time::SystemTime;

use uuid::Uuid;

use crate::Result;
use crate::database::{Db, Fresh};
use crate::workflows::{launch, stop};

/// As many rows as the journal writes in one batch.
const BATCH: usize = 2_000;
const EXECUTOR: &str = "0196a1b2c3d47e8f90a1b2c3d4e5f607";

pub(crate) enum Raw {
    Sqlite(sqlite::Raw),
    Postgres(postgres::Raw),
}

impl Raw {
    pub(crate) async fn open(fresh: &Fresh) -> Result<Raw> {
        // An engine makes the tables, so that they are those of today, with every index.
        stop(launch(&fresh.url).await?).await?;
        Ok(match fresh.db {
            Db::Sqlite => Raw::Sqlite(sqlite::Raw::open(&fresh.url)?),
            Db::Postgres => Raw::Postgres(postgres::Raw::open(&fresh.url).await?),
        })
    }

    /// So many runs of so many steps, all at once.
    pub(crate) async fn run_all(&mut self, runs: u32, steps: u32) -> Result<()> {
        let runs: Vec<Uuid> = (0..runs).map(|_| Uuid::now_v7()).collect();
        for batch in runs.chunks(BATCH) {
            self.create(batch).await?;
        }
        for step in 0..steps {
            let last = step + 1 == steps;
            for batch in runs.chunks(if last { BATCH / 2 } else { BATCH }) {
                self.record(batch, step, last).await?;
            }
        }
        Ok(())
    }

    /// So many commits of one checkpoint each.
    pub(crate) async fn commits(&mut self, count: u32) -> Result<()> {
        match self {
            Raw::Sqlite(raw) => raw.commits(count),
            Raw::Postgres(raw) => raw.commits(count).await,
        }
    }

    async fn create(&mut self, runs: &[Uuid]) -> Result<()> {
        match self {
            Raw::Sqlite(raw) => raw.create(runs),
            Raw::Postgres(raw) => raw.create(runs).await,
        }
    }

    /// Record a step of each run; with the last one it ends.
    async fn record(&mut self, runs: &[Uuid], step: u32, last: bool) -> Result<()> {
        match self {
            Raw::Sqlite(raw) => raw.record(runs, step, last),
            Raw::Postgres(raw) => raw.record(runs, step, last).await,
        }
    }
}

/// Now, in microseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}
