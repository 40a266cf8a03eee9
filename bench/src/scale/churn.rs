//! Runs that come and go under a retention: a day's work, in minutes of a virtual clock. What is deleted makes room for what
//! comes, so the database stops growing. PostgreSQL looks for dead rows once a minute by default; a minute of that clock takes
//! about a second here, so it is told to look once a second.

use std::time::Duration;

use onward::records::Retention;
use onward::{Clock, Onward};

use super::Finding;
use crate::Result;
use crate::database::{Db, Fresh, Server};
use crate::jobs::saturated::run_all;
use crate::workflows::{steps, stop};

/// Runs between two looks of the retention.
const WAVE: u32 = 10_000;
const KEPT: u64 = 10_000;
/// The retention looks every minute.
const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn measure(server: &Server, runs: u32) -> Result<Vec<Finding>> {
    let fresh = server.fresh().await?;
    vacuum(&fresh, "alter system set autovacuum_naptime = '1s'").await?;
    let clock = Clock::virtual_at(onward::Timestamp::from_second(1_700_000_000)?);
    let rule = Retention { workflow: Some("steps".to_owned()), max_count: Some(KEPT), ..Retention::default() };
    let builder = Onward::open(&fresh.url).clock(clock.clone()).workflow::<steps>().retention(rule);
    let engine = builder.lease(Duration::from_secs(3_600)).launch().await?;
    let waves = (runs / WAVE).max(10);
    let mut sizes = Vec::new();
    for _ in 0..waves {
        run_all(&engine, WAVE, 1).await?;
        clock.advance(MINUTE);
        // Until what is too much has gone.
        while left(&fresh).await? > KEPT {
            clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sizes.push(size(&fresh).await?);
    }
    stop(engine).await?;
    vacuum(&fresh, "alter system reset autovacuum_naptime").await?;
    let (early, late) = (sizes[sizes.len() / 5], sizes[sizes.len() - 1]);
    let runs = waves * WAVE;
    Ok(vec![
        Finding::new(format!("size after {runs} runs, beside a fifth of them"), late / early, "×").at_most(1.2),
        Finding::new(format!("size, {KEPT} runs kept"), late, "MiB"),
    ])
}

/// Tell PostgreSQL how often to look for dead rows. SQLite has none.
async fn vacuum(fresh: &Fresh, how_often: &str) -> Result<()> {
    if fresh.db == Db::Postgres {
        let (client, connection) = tokio_postgres::connect(&fresh.url, tokio_postgres::NoTls).await?;
        let reading = tokio::spawn(connection);
        client.batch_execute(how_often).await?;
        client.batch_execute("select pg_reload_conf()").await?;
        drop(client);
        reading.await??;
    }
    Ok(())
}

/// How many runs are there.
async fn left(fresh: &Fresh) -> Result<u64> {
    ask(fresh, "select count(*) from runs", "select count(*) from runs").await.map(|count| count as u64)
}

/// The size of the database, in MiB.
async fn size(fresh: &Fresh) -> Result<f64> {
    let sqlite = "select page_count * page_size from pragma_page_count(), pragma_page_size()";
    let bytes = ask(fresh, sqlite, "select pg_database_size(current_database())").await?;
    Ok(bytes as f64 / 1024.0 / 1024.0)
}

async fn ask(fresh: &Fresh, sqlite: &'static str, postgres: &'static str) -> Result<i64> {
    Ok(match fresh.db {
        Db::Sqlite => {
            let path = fresh.url.trim_start_matches("sqlite:").to_owned();
            let read = move || rusqlite::Connection::open(path)?.query_row(sqlite, [], |row| row.get(0));
            tokio::task::spawn_blocking(read).await??
        }
        Db::Postgres => {
            let (client, connection) = tokio_postgres::connect(&fresh.url, tokio_postgres::NoTls).await?;
            let reading = tokio::spawn(connection);
            let number = client.query_one(postgres, &[]).await?.get(0);
            drop(client);
            reading.await??;
            number
        }
    })
}
