//! Trouble with the database is the outcome of no call: it waits until the database answers.

use std::cell::Cell;

use onward::prelude::*;
use onward::records::StepState;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn sends(ctx: &Ctx) -> Result<String> {
    ctx.sleep(secs(3)).await?;
    ctx.state::<Log>().ran("awake");
    ctx.send("listens", "word", 7).await?;
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
pub(crate) async fn execute(db: &TestDatabase, sql: &str) {
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

/// Somebody lets no row of a run change.
async fn freeze(db: &TestDatabase) {
    let statement = if db.is_postgres() {
        "create or replace function refuse() returns trigger as 'begin raise exception ''frozen''; end' language plpgsql; \
         create trigger frozen before update on runs for each row execute function refuse()"
    } else {
        "create trigger frozen before update on runs begin select raise(abort, 'frozen'); end"
    };
    execute(db, statement).await;
}

async fn thaw(db: &TestDatabase) {
    execute(db, if db.is_postgres() { "drop trigger frozen on runs" } else { "drop trigger frozen" }).await;
}

fn is_in_trouble(house: &House, task: &str) -> bool {
    house.onward.trouble().iter().any(|trouble| trouble.task == task)
}

#[on_every_database]
async fn what_a_task_failed_at_is_no_trouble_once_there_is_nothing_to_do(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<says_much>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let start = || client.start::<says_much>(());
    for (task, start) in [
        ("claimer", start()),
        ("canceller", start().delay(days(1)).deadline(house.clock.now() + mins(1))),
        ("queues", client.start::<says_much>(()).queue("q").delay(mins(1))),
    ] {
        client.queue("q").concurrency(1).await.unwrap();
        freeze(&house.db).await;
        start.id(task).await.unwrap();
        house.until(&format!("the {task} fails"), async || is_in_trouble(&house, task)).await;
        execute(&house.db, &format!("delete from runs where id = '{task}'")).await;
        thaw(&house.db).await;
        let is_over = async || !is_in_trouble(&house, task);
        house.until(&format!("the {task} has nothing to do"), is_over).await;
    }
}

/// How often a row of a run could not be changed. A sequence keeps its value when the transaction that drew it fails.
async fn tries(db: &TestDatabase) -> i64 {
    let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one("select last_value from tries", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_run_that_cannot_enter_its_queue_is_tried_with_each_sweep_and_no_more_often() {
    let house = House::open(TestDatabase::postgres(), |b| b.workflow::<says_much>()).await;
    let counts = "create sequence tries; \
         create function refuse() returns trigger as \
         'begin perform nextval(''tries''); raise exception ''frozen''; end' language plpgsql; \
         create trigger frozen before update on runs for each row execute function refuse()";
    execute(&house.db, counts).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let run = house.onward.start::<says_much>(()).queue("q").delay(mins(1)).await.unwrap();
    house.until("it cannot enter", async || is_in_trouble(&house, "queues")).await;
    // Time stands still, so no sweep comes.
    let before = tries(&house.db).await;
    for _ in 0..100 {
        onward_testkit::between_looks().await;
    }
    let again = tries(&house.db).await - before;
    assert!(again <= 2, "{again} tries in one sweep");
    thaw(&house.db).await;
    assert_eq!(house.done(run.result()).await.unwrap().len(), 5_000);
}
