//! Schemas: made by whoever comes first, and never by two at once.

use onward_store::{Clock, Store};
use onward_testkit::{TestDatabase, on_every_database};

use super::lock::{number, sql};
use super::world::*;

#[on_every_database]
async fn many_processes_may_open_a_new_database_at_once(db: TestDatabase) {
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { Store::open(&url(&db), Clock::system()).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    let once = "select count(*) - count(distinct version) from schema_version";
    assert_eq!(number(&db, once).await, 0);
}

#[on_every_database]
async fn a_schema_that_is_too_new_is_refused_with_both_versions(db: TestDatabase) {
    open(&db).await;
    sql(&db, "insert into schema_version (version, compatible_from) values (99, 98)").await;
    let refused = Store::open(&url(&db), Clock::system()).await.err().unwrap();
    assert_eq!(refused.code(), "schema");
    let known = number(&db, "select max(version) from schema_version where version < 99").await;
    assert!(refused.message().contains("99") && refused.message().contains(&format!("knows {known}")), "{refused}");
}

#[on_every_database]
async fn a_newer_schema_that_says_it_is_compatible_is_accepted(db: TestDatabase) {
    open(&db).await;
    sql(&db, "insert into schema_version (version, compatible_from) values (99, 1)").await;
    open(&db).await;
}

#[on_every_database]
async fn an_existing_database_is_opened_as_it_is(db: TestDatabase) {
    let store = open(&db).await;
    store.create(new_run(&store, "order-1")).await.unwrap();
    let other = Store::open_existing(&url(&db), Clock::system()).await.unwrap();
    other.find(&run_id("order-1")).await.unwrap();
    sql(&db, "insert into schema_version (version, compatible_from) values (99, 1)").await;
    Store::open_existing(&url(&db), Clock::system()).await.unwrap();
}

#[on_every_database]
async fn a_database_of_another_program_is_left_as_it_is(db: TestDatabase) {
    // Many programs have a table of that name.
    sql(&db, "create table schema_version (version text)").await;
    sql(&db, "insert into schema_version (version) values ('3.1')").await;
    let before = bytes(&db);
    let refused = Store::open_existing(&url(&db), Clock::system()).await.err().unwrap();
    assert_eq!(refused.code(), "schema");
    assert!(refused.message().ends_with("` has no tables of Onward"), "{refused}");
    assert!(before == bytes(&db), "the file was changed");
    if db.is_postgres() {
        let tables = "select count(*) from pg_tables where schemaname = 'public'";
        assert_eq!(number(&db, tables).await, 1);
    }
}

#[on_every_database]
async fn a_schema_that_is_behind_is_not_brought_up_to_date_by_looking(db: TestDatabase) {
    open(&db).await;
    sql(&db, "delete from schema_version").await;
    sql(&db, "insert into schema_version (version, compatible_from) values (0, 0)").await;
    let refused = Store::open_existing(&url(&db), Clock::system()).await.err().unwrap();
    assert_eq!(refused.code(), "schema");
    assert!(refused.message().contains("has schema version 0, and this Onward works with "), "{refused}");
    assert_eq!(number(&db, "select count(*) from schema_version").await, 1);
}

/// What the file of a SQLite database holds.
fn bytes(db: &TestDatabase) -> Option<Vec<u8>> {
    db.url.strip_prefix("sqlite:").map(|file| std::fs::read(file).unwrap())
}

mod a_database_that_is_not_there_is_named {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let (server, _) = db.url.rsplit_once('/').unwrap();
        let error = Store::open(&format!("{server}/nowhere").parse().unwrap(), Clock::system()).await.err().unwrap();
        assert!(error.message().contains("nowhere") && error.message().contains("Create the database"), "{error}");
        let nobody = "postgres://me:secret@127.0.0.1:1/orders".parse().unwrap();
        let error = Store::open(&nobody, Clock::system()).await.err().unwrap();
        assert!(error.message().contains("127.0.0.1:1/orders") && !error.message().contains("secret"), "{error}");
    }
}

mod two_schemas_of_one_database_share_nothing {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let of = |schema: &str| -> onward_store::DatabaseUrl {
            let and = if db.url.contains('?') { '&' } else { '?' };
            format!("{}{and}schema={schema}", db.url).parse().unwrap()
        };
        let billing = Store::open(&of("billing"), Clock::system()).await.unwrap();
        let orders = Store::open(&of("orders"), Clock::system()).await.unwrap();
        billing.create(new_run(&billing, "order-1")).await.unwrap();
        assert!(orders.find(&run_id("order-1")).await.is_err());
        orders.create(new_run(&orders, "order-1")).await.unwrap();
        assert_eq!(number(&db, "select count(*) from billing.runs").await, 1);
        assert_eq!(number(&db, "select count(*) from orders.runs").await, 1);
    }
}
