//! One fresh database for each test, and its removal afterwards.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, process, thread};

use tokio_postgres::NoTls;

use crate::{Error, PrivatePostgres, Result, remove_folder};

const SERVER: &str = "ONWARD_TEST_POSTGRES";
const ONLY: &str = "ONWARD_TEST_ONLY";

/// A fresh, empty database. It is removed when the last clone of this value is dropped.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// Where it is, in the form that Onward opens: `sqlite:…` or `postgres://…`.
    pub url: String,
    _remains: Arc<Remains>,
}

/// What is left to clean up.
#[derive(Debug)]
enum Remains {
    Nothing,
    Folder(PathBuf),
    Database { server: String, name: String },
}

impl TestDatabase {
    /// A SQLite file in a temporary folder of its own.
    ///
    /// # Panics
    /// Here and in its siblings, when the database cannot be made: then no test can say anything.
    pub fn sqlite() -> Self {
        let folder = env::temp_dir().join(unique_name());
        fs::create_dir(&folder).unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
        Self::new(format!("sqlite:{}", folder.join("test.db").display()), Remains::Folder(folder))
    }

    /// A SQLite database in memory, seen only by the process that opens this URL first.
    pub fn memory() -> Self {
        Self::new("sqlite::memory:".to_owned(), Remains::Nothing)
    }

    /// A database on the PostgreSQL server that `ONWARD_TEST_POSTGRES` names, else on one private to this process.
    pub fn postgres() -> Self {
        if env::var(ONLY).is_ok_and(|only| only == "sqlite") {
            panic!(
                "{ONLY}=sqlite, and this test needs PostgreSQL: have `::postgres` in its name, so that it is left out"
            );
        }
        Self::on(&server_url()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Is it PostgreSQL? For the few tests whose promise differs there, and says so in a line.
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    fn on(server: &str) -> Result<Self> {
        let name = unique_name();
        // The pristine template, and not the site's own: no test may rest on what somebody left in template1.
        let statement = format!("create database {name} template template0 encoding 'utf8' locale 'C'");
        execute(server, &statement)?;
        let url = with_database(server, &name)?;
        Ok(Self::new(url, Remains::Database { server: server.to_owned(), name }))
    }

    fn new(url: String, remains: Remains) -> Self {
        Self { url, _remains: Arc::new(remains) }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        let removed = match self {
            Self::Nothing => Ok(()),
            Self::Folder(folder) => remove(folder),
            // A test that failed may have left connections behind.
            Self::Database { server, name } => execute(server, &format!("drop database {name} with (force)")),
        };
        // The test has made its point already, and a panic here could hide it.
        if let Err(error) = removed {
            eprintln!("a test database was left behind: {error}");
        }
    }
}

fn server_url() -> String {
    static OURS: LazyLock<PrivatePostgres> =
        LazyLock::new(|| PrivatePostgres::start().unwrap_or_else(|error| panic!("{error}")));
    env::var(SERVER).unwrap_or_else(|_| OURS.url("postgres"))
}

/// Run one statement on the server. In a thread, for tests call us inside of their runtimes, also from `drop`.
fn execute(server: &str, statement: &str) -> Result<()> {
    thread::scope(|scope| scope.spawn(|| execute_here(server, statement)).join().expect("it returns its errors"))
}

fn execute_here(server: &str, statement: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start a runtime to reach PostgreSQL"))?;
    let outcome = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(statement).await
    });
    outcome.map_err(|error| {
        // Its own text is "db error"; what the server said is one deeper.
        let reason = error.as_db_error().map_or_else(|| error.to_string(), |said| said.to_string());
        Error::new(format!("`{statement}` failed on {server}: {reason}"))
    })
}

fn remove(folder: &Path) -> Result<()> {
    remove_folder(folder).map_err(Error::io(format!("remove {}", folder.display())))
}

/// The same server, another database. What follows a `?` is kept.
fn with_database(server: &str, database: &str) -> Result<String> {
    let malformed =
        || Error::new(format!("{SERVER} is `{server}`, but has to be like postgres://user@host:port/database"));
    let (scheme, rest) = server.split_once("://").ok_or_else(malformed)?;
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let host = address.split('/').next().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}/{database}{query}"))
}

/// Many processes make databases on one server, also in later runs after one that was killed.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    format!("onward_test_{}_{now:x}_{count}", process::id())
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn a_database_takes_the_place_of_the_one_in_the_servers_url() {
        for (server, expected) in [
            ("postgres://me@127.0.0.1:5432/postgres", "postgres://me@127.0.0.1:5432/fresh"),
            ("postgres://me@127.0.0.1:5432", "postgres://me@127.0.0.1:5432/fresh"),
            ("postgresql://db/a?sslmode=disable", "postgresql://db/fresh?sslmode=disable"),
        ] {
            assert_eq!(with_database(server, "fresh").unwrap(), expected);
        }
    }

    #[test]
    fn a_server_that_is_no_url_is_refused_with_an_example() {
        let error = with_database("host=localhost", "fresh").unwrap_err();
        assert!(error.to_string().contains("postgres://user@host:port/database"), "{error}");
    }
}
