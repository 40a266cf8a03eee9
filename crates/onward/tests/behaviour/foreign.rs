//! Somebody else who writes to the database of a test.

use onward_testkit::TestDatabase;

/// A transaction of somebody else. It is rolled back when it is dropped.
pub(crate) enum Foreign {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Foreign {
    /// Begin to write. On SQLite nobody else can write meanwhile.
    pub(crate) async fn begins(db: &TestDatabase) -> Foreign {
        if db.is_postgres() {
            let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("begin").await.unwrap();
            return Foreign::Postgres(client);
        }
        let connection = rusqlite::Connection::open(db.url.strip_prefix("sqlite:").unwrap()).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        connection.execute_batch("begin immediate").unwrap();
        Foreign::Sqlite(connection)
    }

    /// Do something in the transaction.
    pub(crate) async fn does(&self, statement: &str) {
        match self {
            Foreign::Sqlite(connection) => connection.execute_batch(statement).unwrap(),
            Foreign::Postgres(client) => client.batch_execute(statement).await.unwrap(),
        }
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        match self {
            Foreign::Sqlite(connection) => connection.query_row(query, [], |row| row.get(0)).unwrap(),
            Foreign::Postgres(client) => client.query_one(query, &[]).await.unwrap().get(0),
        }
    }

    pub(crate) async fn gives_up(self) {
        self.does("rollback").await;
    }
}
