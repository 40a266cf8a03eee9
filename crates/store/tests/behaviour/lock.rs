//! A foreign session that holds a lock, and statements of a test's own.

use onward_testkit::TestDatabase;
use rusqlite::Connection;
use tokio_postgres::{Client, NoTls};

/// A transaction of somebody else. It is rolled back when it is dropped.
pub(crate) enum Foreign {
    Sqlite(Connection),
    Postgres(Client),
}

impl Foreign {
    /// Begin, and take whatever stops a batch: the write lock of a SQLite file, the fences on PostgreSQL.
    pub(crate) async fn stalls(db: &TestDatabase) -> Foreign {
        let foreign = Foreign::begins(db).await;
        if let Foreign::Postgres(client) = &foreign {
            client.batch_execute("select batch from fences for update").await.unwrap();
        }
        foreign
    }

    /// Begin to write.
    pub(crate) async fn begins(db: &TestDatabase) -> Foreign {
        if db.is_postgres() {
            let client = session(&db.url).await;
            client.batch_execute("begin").await.unwrap();
            return Foreign::Postgres(client);
        }
        let connection = connection(db);
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

    pub(crate) async fn commits(self) {
        self.does("commit").await;
    }

    pub(crate) async fn gives_up(self) {
        self.does("rollback").await;
    }
}

/// Run a statement outside of everything else.
pub(crate) async fn sql(db: &TestDatabase, statement: &str) {
    if db.is_postgres() {
        session(&db.url).await.batch_execute(statement).await.unwrap();
    } else {
        connection(db).execute_batch(statement).unwrap();
    }
}

/// The one number that a query gives.
pub(crate) async fn number(db: &TestDatabase, query: &str) -> i64 {
    if db.is_postgres() {
        session(&db.url).await.query_one(query, &[]).await.unwrap().get(0)
    } else {
        connection(db).query_row(query, [], |row| row.get(0)).unwrap()
    }
}

/// The texts that a query gives.
pub(crate) async fn texts(db: &TestDatabase, query: &str) -> Vec<String> {
    if db.is_postgres() {
        return session(&db.url).await.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    }
    let connection = connection(db);
    let mut statement = connection.prepare(query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// How many rows there are of each table that a batch writes.
pub(crate) async fn rows(db: &TestDatabase) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in
        ["runs", "payloads", "checkpoints", "attempts", "waits", "messages", "events", "event_history", "streams"]
    {
        counts.push((table, number(db, &format!("select count(*) from {table}")).await));
    }
    counts
}

/// A session of the test's own.
pub(crate) async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) fn connection(db: &TestDatabase) -> Connection {
    let connection = Connection::open(db.url.strip_prefix("sqlite:").unwrap()).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

/// The sessions of Onward in this database whose name matches.
const SESSIONS: &str = "from pg_stat_activity where datname = current_database() and application_name like";

/// End sessions of Onward, as a server does that shuts down.
pub(crate) async fn end_sessions(db: &TestDatabase, name: &str) {
    sql(db, &format!("select pg_terminate_backend(pid) {SESSIONS} '{name}'")).await;
}

/// Wait until so many sessions wait for a lock.
pub(crate) async fn wait_for_locks(db: &TestDatabase, name: &str, many: i64) {
    let watch = session(&db.url).await;
    let query = format!("select count(*) {SESSIONS} '{name}' and wait_event_type = 'Lock'");
    while watch.query_one(&query, &[]).await.unwrap().get::<_, i64>(0) < many {
        tokio::task::yield_now().await;
    }
}
