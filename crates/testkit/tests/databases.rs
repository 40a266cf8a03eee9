//! Each test has a database to itself, and leaves none behind.

use std::path::Path;

use onward_testkit::{TestDatabase, on_every_database};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

#[on_every_database]
async fn a_test_gets_a_database_of_its_own(db: TestDatabase) {
    let other = if db.is_postgres() { TestDatabase::postgres() } else { TestDatabase::sqlite() };
    assert_ne!(db.url, other.url);
}

#[on_every_database]
async fn a_test_may_use_the_question_mark(db: TestDatabase) -> Result<(), tokio_postgres::Error> {
    if db.is_postgres() {
        let client = session(&db.url).await?;
        client.batch_execute("create table fresh (id int)").await?;
    }
    Ok(())
}

#[test]
fn the_folder_of_a_sqlite_file_goes_with_its_last_handle() {
    let db = TestDatabase::sqlite();
    let file = db.url.strip_prefix("sqlite:").unwrap().to_owned();
    let folder = Path::new(&file).parent().unwrap();
    let clone = db.clone();
    drop(db);
    assert!(folder.is_dir());
    drop(clone);
    assert!(!folder.exists());
}

mod a_database_is_dropped_even_while_somebody_is_connected {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let url = db.url.clone();
        let _connected = session(&url).await.unwrap();
        drop(db);
        let error = session(&url).await.expect_err("it is gone");
        assert_eq!(error.code(), Some(&SqlState::INVALID_CATALOG_NAME));
    }
}

async fn session(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
