//! The tables, without the crate that owns them: to see what no API shows, and to break what no API can.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tokio_postgres::NoTls;

use crate::{Error, Result};

/// The tables of one database.
#[derive(Clone, Debug)]
pub struct Raw {
    url: String,
}

impl Raw {
    /// Of the database with this URL. It is connected to again for each statement, since servers come and go.
    #[must_use]
    pub fn of(url: &str) -> Raw {
        Raw { url: url.to_owned() }
    }

    /// What one statement shows, each row as the text of its first column. Give it a statement of both dialects.
    ///
    /// # Errors
    /// Where the database cannot be reached or refuses the statement.
    pub async fn texts(&self, statement: &str) -> Result<Vec<String>> {
        match self.file() {
            Some(file) => texts_of_sqlite(file, statement).map_err(|error| self.failed(statement, error)),
            None => self.texts_of_postgres(statement).await.map_err(|error| self.failed(statement, error)),
        }
    }

    /// Hold what a statement locks for so long, in a transaction that changes nothing.
    ///
    /// # Errors
    /// As [`texts`](Raw::texts).
    pub async fn hold(&self, statement: &str, duration: Duration) -> Result<()> {
        match self.file() {
            Some(file) => {
                let file = file.to_owned();
                let held = tokio::task::spawn_blocking(move || hold_sqlite(&file, duration)).await;
                held.map_err(|error| self.failed(statement, error))?.map_err(|error| self.failed(statement, error))
            }
            None => self.hold_postgres(statement, duration).await.map_err(|error| self.failed(statement, error)),
        }
    }

    /// What a statement counts.
    ///
    /// # Errors
    /// As [`texts`](Raw::texts), and where the answer is no number.
    pub async fn count(&self, statement: &str) -> Result<u64> {
        let texts = self.texts(statement).await?;
        let count = texts.first().and_then(|text| text.parse().ok());
        count.ok_or_else(|| self.failed(statement, "it counted nothing"))
    }

    fn file(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").map(|rest| Path::new(rest.split('?').next().unwrap_or(rest)))
    }

    async fn texts_of_postgres(&self, statement: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let messages = client.simple_query(statement).await;
        connection.abort();
        let text = |message: &tokio_postgres::SimpleQueryMessage| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        };
        Ok(messages?.iter().filter_map(text).collect())
    }

    async fn hold_postgres(&self, statement: &str, duration: Duration) -> Result<(), tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let held = async {
            client.batch_execute("begin").await?;
            client.simple_query(statement).await?;
            tokio::time::sleep(duration).await;
            client.batch_execute("rollback").await
        };
        let held = held.await;
        connection.abort();
        held
    }

    fn failed(&self, statement: &str, error: impl std::fmt::Display) -> Error {
        Error::new(format!("`{statement}` on {}: {error}", self.url))
    }
}

/// The one lock that there is: nobody else writes as long as it is held.
fn hold_sqlite(file: &Path, duration: Duration) -> rusqlite::Result<()> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("begin immediate")?;
    std::thread::sleep(duration);
    connection.execute_batch("rollback")
}

fn texts_of_sqlite(file: &Path, statement: &str) -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mut statement = connection.prepare(statement)?;
    let text = |row: &rusqlite::Row<'_>| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        })
    };
    statement.query_map([], text)?.collect()
}
