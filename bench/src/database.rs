//! Fresh databases: SQLite files in a temporary folder, and databases on a PostgreSQL server of our own.

use std::sync::atomic::{AtomicU32, Ordering};

use clap::ValueEnum;
use onward_testkit::PrivatePostgres;
use serde::Serialize;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::Result;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Db {
    Sqlite,
    Postgres,
}

impl Db {
    pub(crate) const ALL: [Db; 2] = [Db::Sqlite, Db::Postgres];
}

/// Where databases are made. All of them are gone when it is dropped.
pub(crate) enum Server {
    Sqlite(TempDir),
    Postgres(PrivatePostgres),
}

/// A fresh, empty database.
pub(crate) struct Fresh {
    pub(crate) db: Db,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(db: Db) -> Result<Server> {
        Ok(match db {
            Db::Sqlite => Server::Sqlite(TempDir::with_prefix("onward-bench-")?),
            Db::Postgres => Server::Postgres(PrivatePostgres::start()?),
        })
    }

    pub(crate) async fn fresh(&self) -> Result<Fresh> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        match self {
            Server::Sqlite(folder) => {
                let path = folder.path().join(name).with_extension("db");
                Ok(Fresh { db: Db::Sqlite, url: format!("sqlite:{}", path.display()) })
            }
            Server::Postgres(server) => {
                let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await?;
                let reading = tokio::spawn(connection);
                client.batch_execute(&format!("create database {name}")).await?;
                drop(client);
                reading.await??;
                Ok(Fresh { db: Db::Postgres, url: server.url(&name) })
            }
        }
    }
}
