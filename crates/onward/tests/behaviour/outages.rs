//! Trouble with the database is the outcome of no call: it waits until the database answers.

use std::cell::Cell;

use onward::StepState;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn sends(ctx: &Ctx) -> Result<String> {
    ctx.sleep(secs(3)).await?;
    ctx.state::<Log>().ran("awake");
    ctx.send("listens", "word", &7).await?;
    Ok("sent".to_owned())
}

#[onward::workflow]
async fn listens(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("word").await?)
}

#[onward::workflow]
async fn opens(ctx: &Ctx) -> Result<String> {
    ctx.sleep(secs(3)).await?;
    ctx.state::<Log>().ran("awake");
    Ok(ctx.hook::<u32>().token("door").await?.token().to_owned())
}

/// Its output lies beside its row.
#[onward::workflow]
async fn says_much(_: &Ctx) -> Result<String> {
    Ok("x".repeat(5_000))
}

#[onward::workflow]
async fn asks(ctx: &Ctx) -> Result<usize> {
    ctx.sleep(secs(3)).await?;
    ctx.state::<Log>().ran("awake");
    Ok(ctx.run::<says_much>(()).id("says much").await?.len())
}

/// Something that somebody else does to the tables.
async fn execute(db: &TestDatabase, sql: &str) {
    if let Some(file) = db.url.strip_prefix("sqlite:") {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.busy_timeout(secs(10)).unwrap();
        return connection.execute_batch(sql).unwrap();
    }
    let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// The run sleeps, and meets a table that is away. It ends well once that is back.
async fn without<T: Data>(house: &House, table: &str, run: &WorkflowHandle<T>) -> T {
    let first = async || run.steps().await.unwrap().first().map(|step| step.state);
    house.until("it sleeps", async || first().await == Some(StepState::Waiting)).await;
    execute(&house.db, &format!("alter table {table} rename to {table}_away")).await;
    house.until("it goes on", async || house.log.count("awake") > 0).await;
    let looks = Cell::new(0);
    let long_enough = async || {
        looks.set(looks.get() + 1);
        looks.get() > 200
    };
    house.until("the call has met the trouble", long_enough).await;
    execute(&house.db, &format!("alter table {table}_away rename to {table}")).await;
    house.done(run.result()).await.unwrap()
}

#[on_every_database]
async fn a_child_whose_result_cannot_be_read_for_a_while_is_waited_for(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(says_much, asks)>()).await;
    let child = house.onward.start::<says_much>(()).id("says much").await.unwrap();
    house.done(child.result()).await.unwrap();
    let run = house.onward.start::<asks>(()).await.unwrap();
    assert_eq!(without(&house, "payloads", &run).await, 5_000);
}

#[on_every_database]
async fn a_hook_is_opened_once_the_database_takes_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<opens>()).await;
    let run = house.onward.start::<opens>(()).await.unwrap();
    assert_eq!(without(&house, "hooks", &run).await, "door");
}

#[on_every_database]
async fn a_message_is_sent_once_the_database_takes_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(listens, sends)>()).await;
    let listens = house.onward.start::<listens>(()).id("listens").await.unwrap();
    let run = house.onward.start::<sends>(()).await.unwrap();
    assert_eq!(without(&house, "messages", &run).await, "sent");
    assert_eq!(house.done(listens.result()).await.unwrap(), 7);
}
