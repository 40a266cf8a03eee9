//! A database that takes no writes: `trouble()` names the cause and since when, and a start returns an error.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::ahead::Stall;
use crate::house::House;

#[onward::workflow]
async fn nothing(_ctx: &Ctx) -> Result<()> {
    Ok(())
}

fn of_journal(house: &House) -> Option<onward::metrics::Trouble> {
    house.onward.trouble().into_iter().find(|trouble| trouble.task == "journal")
}

/// A start is told that it could not be committed, and what is wrong has been so for as long as it is.
async fn is_told(house: &House, id: &str) {
    let error = house.done(async { house.onward.start::<nothing>(()).id(id).await }).await.unwrap_err();
    assert_eq!(error.code(), "busy", "{error}");
    assert!(error.message().contains(&format!("run `{id}` may still start")), "{error}");
    house.until("the trouble is named", async || of_journal(house).is_some()).await;
    let since = of_journal(house).map(|trouble| trouble.since);
    for _ in 0..20 {
        house.pass(secs(1)).await;
        assert_eq!(of_journal(house).map(|trouble| trouble.since), since, "it does not come and go");
    }
}

async fn is_over(house: &House, id: &str) {
    let run = house.onward.handle::<nothing>(id);
    house.until("it was started", async || run.status().await.is_ok_and(Status::is_terminal)).await;
    house.until("all is well again", async || house.onward.trouble().is_empty()).await;
}

#[on_every_database]
async fn a_lock_of_somebody_else_is_named_and_a_start_is_told(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<nothing>()).await;
    house.until("all is well", async || house.onward.trouble().is_empty()).await;
    let stall = Stall::begin(&db).await;
    is_told(&house, "late").await;
    stall.end().await;
    is_over(&house, "late").await;
}

#[on_every_database(only = "postgres", because = "a SQLite file that is open for writing stays so")]
async fn a_server_that_takes_no_writes_is_named_and_a_start_is_told(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<nothing>()).await;
    house.until("all is well", async || house.onward.trouble().is_empty()).await;
    let name = db.url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let close = "select pg_terminate_backend(pid) from pg_stat_activity \
                 where datname = current_database() and pid <> pg_backend_pid()";
    client.batch_execute(&format!("alter database \"{name}\" set default_transaction_read_only = on")).await.unwrap();
    client.batch_execute(close).await.unwrap();
    is_told(&house, "late").await;
    // At first it is named that the sessions were ended.
    let is_named = async || of_journal(&house).is_some_and(|trouble| trouble.message.contains("accepts no writes"));
    house.until("it is named", is_named).await;
    client.batch_execute(&format!("alter database \"{name}\" reset default_transaction_read_only")).await.unwrap();
    is_over(&house, "late").await;
}
