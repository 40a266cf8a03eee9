//! SQLite: cached statements in a tight loop, one transaction per batch.

use rusqlite::{Connection, TransactionBehavior, params};
use uuid::Uuid;

use super::{EXECUTOR, now};
use crate::Result;

const CREATE: &str = include_str!("../../sql/create.sqlite.sql");
const CHECKPOINT: &str = include_str!("../../sql/checkpoint.sqlite.sql");
const FINISH: &str = include_str!("../../sql/finish.sqlite.sql");

pub(crate) struct Raw {
    connection: Connection,
    /// The run of the single commits, and how many it has.
    single: (Uuid, u32),
}

impl Raw {
    pub(super) fn open(url: &str) -> Result<Raw> {
        let connection = Connection::open(url.trim_start_matches("sqlite:"))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // Onward checkpoints beside the writer; here nothing at all gets in the way.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -16_000)?;
        Ok(Raw { connection, single: (Uuid::now_v7(), 0) })
    }

    pub(super) fn create(&mut self, runs: &[Uuid]) -> Result<()> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut create = tx.prepare_cached(CREATE)?;
        for run in runs {
            let id = run.hyphenated().to_string();
            create.execute(params![run.as_bytes(), id, "steps", EXECUTOR, now(), 7_i64, "5"])?;
        }
        drop(create);
        Ok(tx.commit()?)
    }

    pub(super) fn record(&mut self, runs: &[Uuid], step: u32, last: bool) -> Result<()> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut checkpoint = tx.prepare_cached(CHECKPOINT)?;
        for run in runs {
            checkpoint.execute(params![run.as_bytes(), step, step + 1, "step", "1", now()])?;
        }
        drop(checkpoint);
        if last {
            let mut finish = tx.prepare_cached(FINISH)?;
            for run in runs {
                finish.execute(params![run.as_bytes(), "5", now()])?;
            }
        }
        Ok(tx.commit()?)
    }

    pub(super) fn commits(&mut self, count: u32) -> Result<()> {
        let mut checkpoint = self.connection.prepare_cached(CHECKPOINT)?;
        let (run, made) = &mut self.single;
        for _ in 0..count {
            checkpoint.execute(params![run.as_bytes(), *made, *made + 1, "step", "1", now()])?;
            *made += 1;
        }
        Ok(())
    }
}
