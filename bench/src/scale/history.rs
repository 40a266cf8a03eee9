//! Ended runs by the million, written straight into the tables.

use onward::Timestamp;

use crate::Result;
use crate::database::{Db, Fresh};
use crate::workflows::{launch, stop};

/// Fill a fresh database with so many ended runs, one each millisecond, the last of them an hour ago.
pub(super) async fn fill(fresh: &Fresh, runs: u32) -> Result<Timestamp> {
    stop(launch(&fresh.url).await?).await?;
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH)?.as_micros();
    let since = i64::try_from(now)? - 3_600_000_000 - i64::from(runs) * 1_000;
    match fresh.db {
        Db::Sqlite => {
            let path = fresh.url.trim_start_matches("sqlite:").to_owned();
            tokio::task::spawn_blocking(move || {
                let connection = rusqlite::Connection::open(path)?;
                connection.execute(include_str!("../../sql/scale/fill.sqlite.sql"), rusqlite::params![runs, since])?;
                connection.execute_batch("pragma wal_checkpoint(truncate)")
            })
            .await??;
        }
        Db::Postgres => {
            let (client, connection) = tokio_postgres::connect(&fresh.url, tokio_postgres::NoTls).await?;
            let reading = tokio::spawn(connection);
            let fill = include_str!("../../sql/scale/fill.postgres.sql");
            client.execute(fill, &[&i64::from(runs), &since]).await?;
            // As autovacuum does before long.
            client.batch_execute("vacuum analyze runs").await?;
            drop(client);
            reading.await??;
        }
    }
    Ok(Timestamp::from_microsecond(since)?)
}
