//! Schemas: made by the process that comes first, and never by two at once.

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
    assert!(refused.message().contains("has schema version 0, but this Onward works with "), "{refused}");
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

mod a_schema_may_be_named_by_a_word_of_sql {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let url = format!("{}{}schema=select", db.url, if db.url.contains('?') { '&' } else { '?' });
        let store = Store::open(&url.parse().unwrap(), Clock::system()).await.unwrap();
        store.create(new_run(&store, "order-1")).await.unwrap();
        assert_eq!(number(&db, "select count(*) from \"select\".runs").await, 1);
        Store::open(&url.parse().unwrap(), Clock::system()).await.unwrap();
    }
}

/// A role of the server, for as long as the test takes.
async fn role(db: &TestDatabase, options: &str) -> (String, String) {
    let (server, name) = db.url.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap();
    let role = format!("guest_{}", name.replace('-', "_"));
    sql(db, &format!("drop role if exists {role}")).await;
    sql(db, &format!("create role {role} login {options}")).await;
    let (scheme, host) = server.split_once("://").unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    (role.clone(), format!("{scheme}://{role}@{host}/{name}"))
}

async fn is_refused(db: &TestDatabase, url: &str) -> onward_types::Error {
    let began = std::time::Instant::now();
    let refused = Store::open(&url.parse().unwrap(), Clock::system()).await.err().unwrap();
    // Nothing that it waits for can come, and a minute is how long it waits for locks.
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(number(db, "select count(*) from pg_tables where tablename = 'schema_version'").await, 0);
    refused
}

mod a_role_that_may_make_no_tables_is_told_what_to_do {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let (role, url) = role(&db, "").await;
        let refused = is_refused(&db, &url).await;
        assert_eq!(refused.code(), "schema");
        assert!(refused.message().contains(&format!("grant create on schema public to {role}")), "{refused}");
        let refused = is_refused(&db, &format!("{url}?schema=billing")).await;
        assert!(refused.message().contains("`billing` does not exist and cannot be created"), "{refused}");
        sql(&db, &format!("grant create on schema public to {role}")).await;
        Store::open(&url.parse().unwrap(), Clock::system()).await.unwrap();
        // A process that finds the tables needs no right to make them.
        sql(&db, &format!("revoke create on schema public from {role}")).await;
        Store::open(&url.parse().unwrap(), Clock::system()).await.unwrap();
        sql(&db, &format!("drop owned by {role}; drop role {role}")).await;
    }
}

mod a_server_that_takes_no_writes_is_named_so {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let (role, url) = role(&db, "").await;
        sql(&db, &format!("alter role {role} set default_transaction_read_only = on")).await;
        let refused = is_refused(&db, &url).await;
        assert!(refused.message().contains("accepts no writes: it is a standby"), "{refused}");
        sql(&db, &format!("drop role {role}")).await;
    }
}

/// An index on millions of rows takes longer than any statement of a run.
mod what_brings_the_schema_up_to_date_may_take_its_time {
    use super::*;

    const NOTE: &str = "create table seen (timeout text); \
        create function note() returns event_trigger language plpgsql as \
        $$ begin insert into public.seen values (current_setting('statement_timeout')); end $$; \
        create event trigger notes on ddl_command_end execute function note()";

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        sql(&db, NOTE).await;
        open(&db).await;
        assert_eq!(number(&db, "select count(*) from seen where timeout <> '0'").await, 0);
        assert!(number(&db, "select count(*) from seen").await > 0);
    }
}
